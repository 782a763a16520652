/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.kernel.TorchScriptModule;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Adds Gaussian noise to a clipped sum and divides by the expected batch size:
 *
 * <p>\(\tilde g = \frac{1}{B}\left(\sum_i c_i g_i + \sigma S\, \mathcal N(0, I)\right)\)
 *
 * <p>with the noise multiplier \(\sigma\), the sensitivity S of the sum and the expected batch size
 * B. The noise is drawn in float32 by the Box-Muller transform of the source's bits: 63 bits for
 * the radius, so that the tail reaches 9.3 standard deviations, and 32 for the angle.
 *
 * @see <a href="https://arxiv.org/abs/1607.00133">Abadi et al. 2016, Algorithm 1</a>
 */
public final class GaussianMechanism implements AutoCloseable {
  // 1 Mi values at a time: 6 MiB of random bits, whatever the size of the model.
  private static final int CHUNK = 1 << 20;

  private final TorchScriptModule kernels;
  private final NoiseSource source;
  private final double scale;
  private final NDManager manager;
  private final ByteBuffer radii = allocate(Long.BYTES);
  private final ByteBuffer angles = allocate(Integer.BYTES);

  /**
   * Creates a mechanism.
   *
   * @param kernels the module of the book-keeping kernels
   * @param parent the manager under which the mechanism's memory lives
   * @param source the bits of the noise
   * @param expectedBatchSize B, finite and greater than 0
   */
  public GaussianMechanism(
      TorchScriptModule kernels, NDManager parent, NoiseSource source, double expectedBatchSize) {
    this.kernels = kernels;
    this.source = source;
    scale = 1 / requirePositive("expectedBatchSize", expectedBatchSize);
    manager = parent.newSubManager();
  }

  /**
   * Turns a clipped sum into a privatized gradient, in place: the sum must be cleared before it is
   * used again.
   *
   * @param sum the clipped sum of one logical step
   * @param noiseMultiplier \(\sigma\), finite and greater than 0
   * @param sensitivity S, finite and greater than 0; \(\sigma S / B\) must be in [1e-18, 1e18]
   * @return the privatized gradient
   * @throws IllegalArgumentException if a number is out of range; the sum is left as it is
   */
  public PrivatizedGradient privatize(
      ClippedGradientSum sum, double noiseMultiplier, double sensitivity) {
    double deviation =
        requirePositive("noiseMultiplier", noiseMultiplier)
            * requirePositive("sensitivity", sensitivity);
    // The square of the noise's standard deviation is a float32 factor on the way.
    if (!(deviation * scale >= 1e-18 && deviation * scale <= 1e18)) {
      throw new IllegalArgumentException(
          "noiseMultiplier * sensitivity / expectedBatchSize must be in [1e-18, 1e18], got "
              + deviation * scale
              + "; scale the loss");
    }
    NDArray flat = sum.flat();
    long size = flat.size();
    addNoise(flat, size, deviation, scale);
    List<NDArray> gradients = new ArrayList<>();
    sum.parameters().forEach(parameter -> gradients.add(sum.view(parameter)));
    return new PrivatizedGradient(sum.parameters(), gradients);
  }

  /**
   * The noisy share of the step's samples that were not clipped,
   *
   * <p>\(\tilde b = \frac12 + \frac1B\left(\sum_i (b_i - \frac12) + \mathcal N(0,
   * \sigma_b^2)\right)\).
   *
   * @param sum the clipped sum of one logical step, with its count
   * @param countNoise \(\sigma_b\), in [1e-18, 1e18]
   * @return the share; beyond [0, 1] where the noise is that large
   * @throws IllegalArgumentException if the noise is out of range
   * @see <a href="https://arxiv.org/abs/1905.03871">Andrew et al. 2021, algorithm 1</a>
   */
  public double unclippedShare(ClippedGradientSum sum, double countNoise) {
    if (!(countNoise >= 1e-18 && countNoise <= 1e18)) {
      throw new IllegalArgumentException("countNoise must be in [1e-18, 1e18], got " + countNoise);
    }
    try (NDManager scope = manager.newSubManager()) {
      NDArray noise = scope.zeros(new Shape(1), DataType.FLOAT32, sum.flat().getDevice());
      addNoise(noise, 1, countNoise, 1);
      return 0.5 + scale * (sum.centredCount() + noise.toFloatArray()[0]);
    }
  }

  /** flat = scale * (flat + deviation * N(0, I)), a chunk at a time. */
  private void addNoise(NDArray flat, long size, double deviation, double factor) {
    for (long offset = 0; offset < size; offset += CHUNK) {
      int count = (int) Math.min(CHUNK, size - offset);
      int pairs = (count + 1) / 2;
      try (NDManager chunk = manager.newSubManager()) {
        kernels.run(
            chunk,
            "add_gaussian",
            flat,
            offset,
            count,
            uniform(chunk, radii, pairs, DataType.INT64, flat.getDevice()),
            uniform(chunk, angles, pairs, DataType.INT32, flat.getDevice()),
            deviation,
            factor);
      }
    }
  }

  /** The source's next bits as integers. */
  private NDArray uniform(
      NDManager scope, ByteBuffer bits, int size, DataType type, Device device) {
    bits.clear().limit(size * type.getNumOfBytes());
    source.fill(bits);
    bits.flip();
    return scope.create(bits, new Shape(size), type).toDevice(device, false);
  }

  private static ByteBuffer allocate(int bytesPerPair) {
    return ByteBuffer.allocateDirect(CHUNK / 2 * bytesPerPair).order(ByteOrder.nativeOrder());
  }

  private static double requirePositive(String name, double value) {
    if (!(value > 0) || value == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException(name + " must be finite and > 0, got " + value);
    }
    return value;
  }

  @Override
  public void close() {
    manager.close();
  }
}
