/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.mechanism.PredictableNoise;
import java.util.Random;

/** Engines whose noise and batches repeat. In the package of the engine, for its test sources. */
public final class PredictableEngine {
  private PredictableEngine() {}

  /** Replaces the secure sources by numbered streams of a seed. */
  public static PrivacyEngineBuilder seeded(PrivacyEngineBuilder engine, long seed) {
    return engine.predictable(
        PredictableNoise.seeded(seed), step -> new Random(seed * 1_000_003 + step));
  }
}
