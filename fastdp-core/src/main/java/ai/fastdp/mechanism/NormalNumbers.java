/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.nio.FloatBuffer;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;

/**
 * Standard normal numbers from the bits of one stream.
 *
 * <p>McFarland's ziggurat on 64-bit words makes float64 numbers, whose tail has no end; they are
 * rounded once to float32, so that a number differs from an exact normal one by at most 6e-8 of its
 * size.
 *
 * @see <a href="https://arxiv.org/abs/1403.6870">McFarland 2014</a>
 */
final class NormalNumbers {
  private final ZigguratSampler sampler;

  NormalNumbers(NoiseSource.Bits bits) {
    sampler = ZigguratSampler.NormalizedGaussian.of(new StreamWords(bits));
  }

  double next() {
    return sampler.sample();
  }

  /** Fills the first {@code count} places. */
  void fill(FloatBuffer numbers, int count) {
    for (int i = 0; i < count; i++) {
      numbers.put(i, (float) sampler.sample());
    }
  }
}
