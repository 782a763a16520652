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
  private final double scale;
  private final NDManager manager;
  private final int threads;
  private final long ahead;
  private @Nullable NoiseChunks chunks;
  private NoisePosition skipped = new NoisePosition(0, 0);

  /**
   * Creates a mechanism.
   *
   * @param kernels the module of the book-keeping kernels
   * @param parent the manager under which the mechanism's memory lives
   * @param source the bits of the noise
   * @param expectedBatchSize B, finite and greater than 0
   * @param ahead how many of the next steps' numbers may be drawn before they are needed
   */
  public GaussianMechanism(
      TorchScriptModule kernels,
      NDManager parent,
      NoiseSource source,
      double expectedBatchSize,
      long ahead) {
    this.kernels = kernels;
    this.source = source;
    scale = 1 / requirePositive("expectedBatchSize", expectedBatchSize);
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
    // The noise's standard deviation is a float32 factor on the way.
    if (!(deviation * scale >= 1e-18 && deviation * scale <= 1e18)) {
      throw new IllegalArgumentException(
          "noiseMultiplier * sensitivity / expectedBatchSize must be in [1e-18, 1e18], got "
              + deviation * scale
              + "; scale the loss");
    }
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

  /**
   * How much noise has been used up, for a checkpoint.
   *
   * @return the position in the source
   */
  public NoisePosition noisePosition() {
    return chunks == null ? skipped : chunks.position();
  }

  /**
   * Goes on after the noise that an earlier run has used up.
   *
   * @param position what {@link #noisePosition()} was
   * @throws IllegalStateException if noise has been drawn already
   */
  public void skipNoise(NoisePosition position) {
    if (chunks != null) {
      throw new IllegalStateException(
          "noise must be skipped before any is drawn, got a mechanism in use; make a new one");
    }
    skipped = position;
  }

  /**
   * What the noise is made from.
   *
   * @return the source's description
   */
  public String sourceDescription() {
    return source.description();
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
    return 0.5 + scale * (sum.centredCount() + countNoise * chunks(sum).single());
  }

  private NoiseChunks chunks(ClippedGradientSum sum) {
    if (chunks == null) {
      chunks = new NoiseChunks(source, sum.flat().size(), threads, ahead);
      chunks.skip(skipped);
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
