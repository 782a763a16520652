/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.internal.kernel.SumKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.nio.LongBuffer;

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
 * it is an assumption, see docs/adr/0025.
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

  // Every float32 number is a float64 number in units of such a grid, or beyond all integers.
  private static final int LARGEST_EXPONENT = 800;

  private final SumKernels kernels;
  private final NoiseSource source;
  private final NoiseScale scale;
  private final NDManager manager;
  private final NoiseChunks chunks;

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
    this.kernels = new SumKernels(kernels);
    this.source = source;
    scale = new NoiseScale(expectedBatchSize);
    chunks = new NoiseChunks(source, Long.BYTES, 0);
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
        new DiscreteGaussian(Math.scalb(Math.nextUp(noiseMultiplier * sensitivity), -exponent));
    double inverseSpacing = Math.scalb(1.0, -exponent);
    double unit = Math.scalb(scale.ofSum(), exponent);
    chunks.forEach(
        size,
        false,
        (words, chunk, count) -> gaussian.fill(words, chunk.asLongBuffer(), count),
        (offset, chunk) -> add(chunk.asLongBuffer(), flat, offset, inverseSpacing, unit));
    return PrivatizedGradient.of(sum, deviation);
  }

  private void add(
      LongBuffer integers, NDArray flat, long offset, double inverseSpacing, double unit) {
    int count = integers.remaining();
    try (NDManager scope = manager.newSubManager()) {
      float[] values = kernels.part(scope, flat, offset, count).toFloatArray();
      addOnGrid(values, integers, inverseSpacing, unit);
      kernels.writePart(flat, offset, scope.create(values, new Shape(count)));
    }
  }

  /** Rounds the coordinates to the grid, adds the integers and scales the sums. */
  private static void addOnGrid(
      float[] coordinates, LongBuffer integers, double inverseSpacing, double unit) {
    for (int i = 0; i < coordinates.length; i++) {
      long total = Math.addExact(onGrid(coordinates[i], inverseSpacing), integers.get(i));
      coordinates[i] = (float) (total * unit);
    }
  }

  /** The exponent of the grid's spacing, a power of two: \(\gamma \sqrt d \le 2^{-12} S\). */
  static int gridExponent(double sensitivity, long coordinates) {
    // Rounded down once more, so that neither the root nor the quotient can round up.
    int exponent =
        Math.getExponent(
            Math.nextDown(
                ROUNDING_SHARE * sensitivity / Math.nextUp(Math.sqrt((double) coordinates))));
    if (Math.abs(exponent) > LARGEST_EXPONENT) {
      throw new IllegalArgumentException(
          "sensitivity must have a grid that float64 holds, got "
              + sensitivity
              + "; scale the loss");
    }
    return exponent;
  }

  /**
   * A coordinate in units of the grid, rounded to the nearest integer; exact up to clamping, as the
   * inverse spacing is a power of two.
   */
  static long onGrid(float value, double inverseSpacing) {
    double scaled = value * inverseSpacing;
    if (Math.abs(scaled) < 0x1p51) {
      // Added to 1.5 * 2^52 it is rounded to an integer, half to even, that the last bits hold.
      return Double.doubleToRawLongBits(scaled + 0x1.8p52) - Double.doubleToRawLongBits(0x1.8p52);
    }
    double rounded = Math.rint(scaled);
    if (Double.isNaN(rounded)) {
      throw new IllegalStateException(
          "the clipped sum must be finite, got NaN; nothing was released: attach again, and scale"
              + " the loss");
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
    long noise = new DiscreteGaussian(2 * countNoise).next(new StreamWords(chunks.single()));
    return scale.share(0, Math.addExact(halves, noise) / 2.0);
  }

  @Override
  public NoisePosition noisePosition() {
    return chunks.position();
  }

  @Override
  public void skipNoise(NoisePosition position) {
    chunks.skip(position);
  }

  @Override
  public String sourceDescription() {
    return source.description();
  }

  @Override
  public void close() {
    chunks.close();
    manager.close();
  }
}
