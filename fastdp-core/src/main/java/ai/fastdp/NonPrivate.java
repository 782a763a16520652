/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.accounting.statement.NoiseOrigin;
import ai.fastdp.mechanism.NoiseSource;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * A run without a guarantee, for debugging: batches, and noise where there is any, repeat with the
 * seed.
 *
 * <p>Everything else is as in a private run: sampling, clipping, the number of steps, ledger and
 * checkpoints. {@link PrivateTrainer#spent()} is infinite, and the run's statement says that it is
 * not private. A ledger of such a run cannot be opened by a private one.
 *
 * <pre>{@code
 * PrivacyEngine.builder(plan).optNonPrivate(NonPrivate.noiseless(1)).build()
 * }</pre>
 */
public final class NonPrivate {
  private final NoiseOrigin.Kind kind;
  private final long seed;

  private NonPrivate(NoiseOrigin.Kind kind, long seed) {
    this.kind = kind;
    this.seed = seed;
  }

  /**
   * Clips, and adds no noise: tells the effect of clipping from that of noise.
   *
   * @param seed decides which samples each batch has
   * @return the mode
   */
  public static NonPrivate noiseless(long seed) {
    return new NonPrivate(NoiseOrigin.Kind.NO_NOISE, seed);
  }

  /**
   * Clips, and adds noise that a seed decides: two runs are the same.
   *
   * @param seed decides the noise, and which samples each batch has
   * @return the mode
   */
  public static NonPrivate seeded(long seed) {
    return new NonPrivate(NoiseOrigin.Kind.TEST_SEED, seed);
  }

  NoiseSupply noise() {
    return kind == NoiseOrigin.Kind.NO_NOISE
        ? NoiseSupply.none()
        : NoiseSupply.repeating(() -> NoiseSource.repeatable(seed));
  }

  /** Returns the source of a step's batch, which depends on the seed and the step alone. */
  RandomGenerator sampling(long step) {
    return new SplittableRandom(new SplittableRandom(seed).nextLong() + step);
  }
}
