/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.fastdp.internal.kernel.SumKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.nio.ByteBuffer;

/**
 * {@link GaussianMechanism} with noise from the generator of the device that the sum is on: faster
 * where that is a GPU, and not cryptographically secure.
 *
 * <p>Every step has a generator of its own, made for it and dropped after it, so that the user's
 * generators and seeds are neither read nor advanced. Step n is seeded with k + n, k 64 bits from
 * the secure source: no two of 2^64 steps share a seed, and two runs of a and b steps do so with a
 * probability of (a + b) 2^-64. A seed of 64 bits is the limit of its security: whoever can try
 * 2^64 seeds, or breaks the generator (Philox on CUDA), can take the noise away. <b>On a CPU
 * PyTorch uses 32 bits of the seed, which is no secret</b>: the mechanism runs there for tests
 * alone.
 *
 * <p>Numbers are drawn in float64 by PyTorch's Box-Muller transform, from uniform numbers of 53
 * bits, and end at 8.6 deviations; the normal distribution has a mass of 1e-17 beyond. The sum is
 * rounded to float32 once.
 */
public final class DeviceGaussianMechanism implements NoiseMechanism {
  // 128 MiB of float64 at a time.
  private static final int BLOCK = 1 << 24;

  private final SumKernels kernels;
  private final NoiseSource seeds;
  private final NoiseScale scale;
  private final Device device;
  private final long firstSeed;
  private long steps;
  private long singles;

  /**
   * Creates a mechanism.
   *
   * @param kernels the module of the book-keeping kernels
   * @param device the device that the sum is on
   * @param seeds the source of the seed and of noise for counts
   * @param expectedBatchSize B, finite and greater than 0
   */
  public DeviceGaussianMechanism(
      TorchScriptModule kernels, Device device, NoiseSource seeds, double expectedBatchSize) {
    this.kernels = new SumKernels(kernels);
    this.seeds = seeds;
    scale = new NoiseScale(expectedBatchSize);
    this.device = device;
    byte[] seed = new byte[Long.BYTES];
    seeds.stream(0).fill(seed);
    firstSeed = ByteBuffer.wrap(seed).getLong();
  }

  /** Nothing to do: the device draws when the noise is added. */
  @Override
  public void prepare(ClippedGradientSum sum) {}

  @Override
  public PrivatizedGradient privatize(
      ClippedGradientSum sum, double noiseMultiplier, double sensitivity) {
    double deviation = scale.deviation(noiseMultiplier, sensitivity);
    NDArray flat = sum.flat();
    kernels.addDeviceNoise(flat, firstSeed + steps++, deviation, scale.ofSum(), BLOCK);
    return PrivatizedGradient.of(sum, deviation);
  }

  @Override
  public double unclippedShare(ClippedGradientSum sum, double countNoise) {
    NoiseScale.requireCountNoise(countNoise);
    double normal = new NormalNumbers(seeds.stream(2 * singles++ + 1)).next();
    return scale.share(sum.centredCount(), countNoise * normal);
  }

  /** Steps count as chunks: each has one seed. */
  @Override
  public NoisePosition noisePosition() {
    return new NoisePosition(steps, singles);
  }

  @Override
  public void skipNoise(NoisePosition position) {
    NoisePosition.requireUnused(steps > 0 || singles > 0);
    steps = position.chunks();
    singles = position.singles();
  }

  @Override
  public String sourceDescription() {
    return "PyTorch's generator of " + device + ", 64-bit seeds from " + seeds.description();
  }

  /** Nothing to do: the mechanism owns no memory. */
  @Override
  public void close() {}
}
