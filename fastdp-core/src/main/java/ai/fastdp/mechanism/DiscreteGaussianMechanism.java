/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.kernel.TorchScriptModule;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Rounds a clipped sum to a grid, adds discrete Gaussian noise in integers and divides by the
 * expected batch size:
 *
 * <p>\(\tilde g = \frac{\gamma}{B}\left(\left\lfloor \gamma^{-1} \sum_i c_i g_i \right\rceil +
 * Y\right), \quad \Pr[Y_j = y] \propto e^{-y^2 / 2 s^2}, \quad s = \sigma S / \gamma\)
 *
 * <p>The spacing \(\gamma\) is the largest power of two with \(\gamma \sqrt d \le 2^{-12} S\), d
 * the number of coordinates. Multiplying by \(\gamma^{-1}\), rounding to the nearest integer,
 * drawing Y and adding it are exact, so that what is released has no trace of floating-point
 * arithmetic in it: it is a function of integers whose distribution is the one that is accounted
 * for. What comes after the addition is post-processing.
 *
 * <p>Rounding moves each coordinate by at most \(\gamma/2\), so two sums with a distance of at most
 * \((1 - 2^{-12}) S\) have rounded sums with a distance of at most \((1 - 2^{-12}) S + \gamma \sqrt
 * d \le S\). A caller who clips to {@link #CLIP_SHARE} S leaves \((2^{-8} - 2^{-12}) S\) for the
 * rounding errors of the float32 arithmetic that the sum itself is made by; that these stay below
 * it is an assumption, see docs/adr/0033.
 *
 * @see <a href="https://arxiv.org/abs/2004.00010">Canonne, Kamath and Steinke 2020, theorem 14</a>
 */
public final class DiscreteGaussianMechanism implements NoiseMechanism {
  /** The share of the sensitivity to clip to; the rest covers rounding. */
  public static final double CLIP_SHARE = 1 - 0x1p-8;

  /**
   * The largest noise multiplier, and the inverse of the smallest, for which integers of any sum
   * fit.
   */
  public static final double LARGEST_NOISE_MULTIPLIER = 0x1p10;

  private static final double ROUNDING_SHARE = 0x1p-12;
  // Clamping moves no two sums apart, and no released integer comes near the range's end.
  private static final double LARGEST_INTEGER = 0x1p60;

  private final TorchScriptModule kernels;
  private final NoiseSource source;
  private final NoiseScale scale;
  private final NDManager manager;
  private final int threads;
  private @Nullable NoiseChunks chunks;
  private NoisePosition skipped = new NoisePosition(0, 0);

  /**
   * Creates a mechanism.
   *
   * @param kernels the module of the book-keeping kernels
   * @param parent the manager under which the mechanism's memory lives
   * @param source the bits of the noise
   * @param expectedBatchSize B, finite and greater than 0
   */
  public DiscreteGaussianMechanism(
      TorchScriptModule kernels, NDManager parent, NoiseSource source, double expectedBatchSize) {
    this.kernels = kernels;
    this.source = source;
    scale = new NoiseScale(expectedBatchSize);
    threads = Runtime.getRuntime().availableProcessors();
    manager = parent.newSubManager();
  }

  /** Nothing to do: integers depend on the step's noise multiplier and are not drawn ahead. */
  @Override
  public void prepare(ClippedGradientSum sum) {}

  /**
   * {@inheritDoc}
   *
   * @throws IllegalStateException if the sum has a coordinate that is not a number
   */
  @Override
  public PrivatizedGradient privatize(
      ClippedGradientSum sum, double noiseMultiplier, double sensitivity) {
    double deviation = scale.deviation(noiseMultiplier, sensitivity);
    NDArray flat = sum.flat();
    long size = flat.size();
    int exponent = gridExponent(sensitivity, size);
    DiscreteGaussian gaussian =
        new DiscreteGaussian(Math.scalb(noiseMultiplier * sensitivity, -exponent));
    NoiseChunks noise = chunks(sum);
    NoiseChunks.Drawing drawing =
        (bits, chunk, count) -> {
          StreamWords words = new StreamWords(bits);
          LongBuffer integers = chunk.asLongBuffer();
          for (int i = 0; i < count; i++) {
            integers.put(i, gaussian.next(words));
          }
        };
    for (long offset = 0; offset < size; offset += NoiseChunks.CHUNK) {
      noise.start(NoiseChunks.count(size - offset), drawing);
      ByteBuffer chunk = noise.take();
      LongBuffer integers = chunk.asLongBuffer();
      int count = integers.remaining();
      try (NDManager scope = manager.newSubManager()) {
        float[] values =
            kernels.run(scope, "read_part", flat, offset, count).singletonOrThrow().toFloatArray();
        for (int i = 0; i < count; i++) {
          long total = Math.addExact(onGrid(values[i], exponent), integers.get(i));
          values[i] = (float) (Math.scalb((double) total, exponent) * scale.ofSum());
        }
        kernels.run(scope, "write_part", flat, offset, scope.create(values, new Shape(count)));
      }
      noise.giveBack(chunk);
    }
    return PrivatizedGradient.of(sum, deviation);
  }

  /** The exponent of the grid's spacing, a power of two: \(\gamma \sqrt d \le 2^{-12} S\). */
  static int gridExponent(double sensitivity, long coordinates) {
    // Rounded down once more, so that neither the root nor the quotient can round up.
    return Math.getExponent(
        Math.nextDown(ROUNDING_SHARE * sensitivity / Math.nextUp(Math.sqrt((double) coordinates))));
  }

  /** A coordinate in units of the grid, rounded to the nearest integer; exact up to clamping. */
  static long onGrid(float value, int exponent) {
    double rounded = Math.rint(Math.scalb((double) value, -exponent));
    if (Double.isNaN(rounded)) {
      throw new IllegalStateException(
          "the clipped sum must be finite, got NaN; nothing was released, scale the loss");
    }
    return (long) Math.max(-LARGEST_INTEGER, Math.min(LARGEST_INTEGER, rounded));
  }

  /**
   * {@inheritDoc}
   *
   * <p>The noise is discrete Gaussian on the multiples of one half, which the centred count is one
   * of, with parameter \(\sigma_b\): nothing is rounded.
   */
  @Override
  public double unclippedShare(ClippedGradientSum sum, double countNoise) {
    NoiseScale.requireCountNoise(countNoise);
    long halves = Math.round(2 * sum.centredCount());
    long noise = new DiscreteGaussian(2 * countNoise).next(new StreamWords(chunks(sum).single()));
    return scale.share(0, Math.addExact(halves, noise) / 2.0);
  }

  @Override
  public NoisePosition noisePosition() {
    return chunks == null ? skipped : chunks.position();
  }

  @Override
  public void skipNoise(NoisePosition position) {
    NoisePosition.requireUnused(chunks != null);
    skipped = position;
  }

  @Override
  public String sourceDescription() {
    return source.description();
  }

  private NoiseChunks chunks(ClippedGradientSum sum) {
    if (chunks == null) {
      chunks = new NoiseChunks(source, sum.flat().size(), Long.BYTES, threads, 0);
      chunks.skip(skipped);
    }
    return chunks;
  }

  @Override
  public void close() {
    if (chunks != null) {
      chunks.close();
    }
    manager.close();
  }
}
