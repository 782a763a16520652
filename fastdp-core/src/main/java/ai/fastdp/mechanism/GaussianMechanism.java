/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.internal.kernel.SumKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.nio.ByteBuffer;

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
public final class GaussianMechanism implements NoiseMechanism {
  // What PyTorch works off without its thread pool, which would take the drawing threads' cores.
  private static final int CPU_BLOCK = 1 << 15;

  private final SumKernels kernels;
  private final NoiseSource source;
  private final NoiseScale scale;
  private final NDManager manager;
  private final NoiseChunks chunks;
  private final boolean drawsAhead;

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
    this.kernels = new SumKernels(kernels);
    this.source = source;
    scale = new NoiseScale(expectedBatchSize);
    chunks = new NoiseChunks(source, Float.BYTES, ahead);
    drawsAhead = ahead > 0;
    manager = parent.newSubManager();
  }

  @Override
  public void prepare(ClippedGradientSum sum) {
    if (drawsAhead) {
      chunks.start(sum.size(), Long.MAX_VALUE, GaussianMechanism::draw);
    }
  }

  @Override
  public PrivatizedGradient privatize(
      ClippedGradientSum sum, double noiseMultiplier, double sensitivity) {
    double deviation = scale.deviation(noiseMultiplier, sensitivity);
    NDArray flat = sum.flat();
    chunks.forEach(
        flat.size(),
        drawsAhead,
        GaussianMechanism::draw,
        (offset, chunk) -> add(chunk, flat, offset, deviation));
    return PrivatizedGradient.of(sum, deviation);
  }

  private void add(ByteBuffer chunk, NDArray flat, long offset, double deviation) {
    int count = chunk.remaining() / Float.BYTES;
    try (NDManager scope = manager.newSubManager()) {
      kernels.addNoise(
          flat,
          offset,
          scope.create(chunk, new Shape(count), DataType.FLOAT32),
          deviation,
          scale.ofSum(),
          flat.getDevice().isGpu() ? count : CPU_BLOCK);
    }
  }

  private static void draw(StreamWords words, ByteBuffer chunk, int count) {
    new NormalNumbers(words).fill(chunk.asFloatBuffer(), count);
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
  public double unclippedShare(ClippedGradientSum sum, double countNoise) {
    NoiseScale.requireCountNoise(countNoise);
    double normal = new NormalNumbers(chunks.single()).next();
    return scale.share(sum.centredCount(), countNoise * normal);
  }

  @Override
  public void close() {
    chunks.close();
    manager.close();
  }
}
