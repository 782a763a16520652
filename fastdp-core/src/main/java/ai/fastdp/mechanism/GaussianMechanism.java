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
  private final double deviation;
  private final double scale;
  private final NDManager manager;
  private final ByteBuffer radii = allocate(Long.BYTES);
  private final ByteBuffer angles = allocate(Integer.BYTES);

  /**
   * Creates the mechanism of a plan.
   *
   * @param kernels the module of the book-keeping kernels
   * @param parent the manager under which the mechanism's memory lives
   * @param source the bits of the noise
   * @param noiseMultiplier \(\sigma\), finite and greater than 0
   * @param sensitivity S, finite and greater than 0
   * @param expectedBatchSize B, finite and greater than 0
   */
  public GaussianMechanism(
      TorchScriptModule kernels,
      NDManager parent,
      NoiseSource source,
      double noiseMultiplier,
      double sensitivity,
      double expectedBatchSize) {
    this.kernels = kernels;
    this.source = source;
    deviation =
        requirePositive("noiseMultiplier", noiseMultiplier)
            * requirePositive("sensitivity", sensitivity);
    scale = 1 / requirePositive("expectedBatchSize", expectedBatchSize);
    // The square of the noise's standard deviation is a float32 factor on the way.
    if (!(deviation * scale >= 1e-18 && deviation * scale <= 1e18)) {
      throw new IllegalArgumentException(
          "noiseMultiplier * sensitivity / expectedBatchSize must be in [1e-18, 1e18], got "
              + deviation * scale
              + "; scale the loss");
    }
    manager = parent.newSubManager();
  }

  /**
   * Turns a clipped sum into a privatized gradient, in place: the sum must be cleared before it is
   * used again.
   *
   * @param sum the clipped sum of one logical step
   * @return the privatized gradient
   */
  public PrivatizedGradient privatize(ClippedGradientSum sum) {
    NDArray flat = sum.flat();
    long size = flat.size();
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
            scale);
      }
    }
    List<NDArray> gradients = new ArrayList<>();
    sum.parameters().forEach(parameter -> gradients.add(sum.view(parameter)));
    return new PrivatizedGradient(sum.parameters(), gradients);
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
