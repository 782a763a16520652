/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.kernel.TorchScriptModule;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Adds Gaussian noise to a clipped sum and divides by the expected batch size:
 *
 * <p>\(\tilde g = \frac{1}{B}\left(\sum_i c_i g_i + \sigma S\, \mathcal N(0, I)\right)\)
 *
 * <p>with the noise multiplier \(\sigma\), the sensitivity S of the sum and the expected batch size
 * B. The noise is drawn in float64 by the ziggurat method from 64-bit words of the source, on
 * several threads, and rounded to float32.
 *
 * @see <a href="https://arxiv.org/abs/1607.00133">Abadi et al. 2016, Algorithm 1</a>
 */
public final class GaussianMechanism implements AutoCloseable {
  // What PyTorch works off without its thread pool, which would take the drawing threads' cores.
  private static final int CPU_BLOCK = 1 << 15;

  private final TorchScriptModule kernels;
  private final NoiseSource source;
  private final double deviation;
  private final double scale;
  private final NDManager manager;
  private final int threads;
  private final long ahead;
  private @Nullable NoiseChunks chunks;

  /**
   * Creates the mechanism of a plan.
   *
   * @param kernels the module of the book-keeping kernels
   * @param parent the manager under which the mechanism's memory lives
   * @param source the bits of the noise
   * @param noiseMultiplier \(\sigma\), finite and greater than 0
   * @param sensitivity S, finite and greater than 0
   * @param expectedBatchSize B, finite and greater than 0
   * @param ahead how many of the next steps' numbers may be drawn before they are needed
   */
  public GaussianMechanism(
      TorchScriptModule kernels,
      NDManager parent,
      NoiseSource source,
      double noiseMultiplier,
      double sensitivity,
      double expectedBatchSize,
      long ahead) {
    this.kernels = kernels;
    this.source = source;
    deviation =
        requirePositive("noiseMultiplier", noiseMultiplier)
            * requirePositive("sensitivity", sensitivity);
    scale = 1 / requirePositive("expectedBatchSize", expectedBatchSize);
    // The noise's standard deviation is a float32 factor on the way.
    if (!(deviation * scale >= 1e-18 && deviation * scale <= 1e18)) {
      throw new IllegalArgumentException(
          "noiseMultiplier * sensitivity / expectedBatchSize must be in [1e-18, 1e18], got "
              + deviation * scale
              + "; scale the loss");
    }
    this.ahead = ahead;
    threads = Runtime.getRuntime().availableProcessors();
    manager = parent.newSubManager();
  }

  /**
   * Lets the noise of the next steps be drawn while the model runs, as far as {@code ahead} goes.
   *
   * @param sum the clipped sum of the next logical step
   */
  public void prepare(ClippedGradientSum sum) {
    if (ahead > 0) {
      chunks(sum).start(Long.MAX_VALUE);
    }
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
    NoiseChunks noise = chunks(sum);
    long size = flat.size();
    for (long offset = 0; offset < size; offset += NoiseChunks.CHUNK) {
      noise.start(ahead > 0 ? Long.MAX_VALUE : NoiseChunks.count(size - offset));
      ByteBuffer chunk = noise.take();
      int count = chunk.remaining() / Float.BYTES;
      try (NDManager scope = manager.newSubManager()) {
        kernels.run(
            scope,
            "add_noise",
            flat,
            offset,
            scope.create(chunk, new Shape(count), DataType.FLOAT32),
            deviation * scale,
            scale,
            flat.getDevice().isGpu() ? count : CPU_BLOCK);
      }
      noise.giveBack(chunk);
    }
    List<NDArray> gradients = new ArrayList<>();
    sum.parameters().forEach(parameter -> gradients.add(sum.view(parameter)));
    return new PrivatizedGradient(sum.parameters(), gradients, deviation * scale);
  }

  private NoiseChunks chunks(ClippedGradientSum sum) {
    if (chunks == null) {
      chunks = new NoiseChunks(source, sum.flat().size(), threads, ahead);
    }
    return chunks;
  }

  private static double requirePositive(String name, double value) {
    if (!(value > 0) || value == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException(name + " must be finite and > 0, got " + value);
    }
    return value;
  }

  @Override
  public void close() {
    if (chunks != null) {
      chunks.close();
    }
    manager.close();
  }
}
