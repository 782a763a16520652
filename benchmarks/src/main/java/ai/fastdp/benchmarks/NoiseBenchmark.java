/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.kernel.BookKeepingKernels;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.mechanism.ClippedGradientSum;
import ai.fastdp.mechanism.DiscreteGaussianMechanism;
import ai.fastdp.mechanism.GaussianMechanism;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.mechanism.PrivatizedGradient;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Secure normal numbers a second: drawn and added to a clipped sum, and the limit that the cipher
 * sets, 64 bits a number. On one core with {@code taskset -c 0}.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@State(Scope.Benchmark)
@Fork(3)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class NoiseBenchmark {
  private static final int NUMBERS = 1 << 24;
  private static final int BLOCK = 1 << 14;
  private static final int BLOCKS = 128; // As many as a chunk of the mechanism takes.

  private final byte[] block = new byte[BLOCK];
  private final NDManager manager = NDManager.newBaseManager("PyTorch");
  private final ClippedGradientSum sum;
  private final GaussianMechanism mechanism;
  private final DiscreteGaussianMechanism discrete;
  private final NoiseSource source = NoiseSource.secure();
  private long index;

  /** Makes the mechanism. */
  public NoiseBenchmark() {
    TorchScriptModule kernels = BookKeepingKernels.compile(manager);
    Parameter parameter =
        Parameter.builder()
            .setName("all")
            .setType(Parameter.Type.OTHER)
            .optShape(new Shape(NUMBERS))
            .build();
    sum = new ClippedGradientSum(kernels, manager, List.of(parameter));
    mechanism = new GaussianMechanism(kernels, manager, NoiseSource.secure(), 4, 0);
    discrete = new DiscreteGaussianMechanism(kernels, manager, NoiseSource.secure(), 4);
  }

  /** Checks that the noise has the deviation that it should have before anything is timed. */
  @Setup
  public void check() {
    check(mechanism.privatize(sum, 2, 3));
    sum.clear();
    check(discrete.privatize(sum, 2, 3));
  }

  private static void check(PrivatizedGradient gradient) {
    float[] noise = gradient.gradients().get(0).toFloatArray();
    double squares = 0;
    for (float value : noise) {
      squares += (double) value * value;
    }
    double deviation = Math.sqrt(squares / NUMBERS);
    if (!(Math.abs(deviation - 1.5) < 0.01)) {
      throw new IllegalStateException("deviation must be 1.5, got " + deviation);
    }
  }

  /** Releases the memory. */
  @TearDown
  public void close() {
    mechanism.close();
    discrete.close();
    sum.close();
    manager.close();
  }

  /**
   * A whole release of 2^24 values, on all cores that there are.
   *
   * @return the noisy sum
   */
  @Benchmark
  @OperationsPerInvocation(NUMBERS)
  public PrivatizedGradient privatize() {
    try (PrivatizedGradient gradient = mechanism.privatize(sum, 2, 3)) {
      return gradient;
    }
  }

  /**
   * The same with discrete noise.
   *
   * @return the noisy sum
   */
  @Benchmark
  @OperationsPerInvocation(NUMBERS)
  public PrivatizedGradient privatizeDiscrete() {
    try (PrivatizedGradient gradient = discrete.privatize(sum, 2, 3)) {
      return gradient;
    }
  }

  /**
   * The cipher alone, on one core.
   *
   * @return the key stream
   */
  @Benchmark
  @OperationsPerInvocation(BLOCKS * BLOCK / Long.BYTES)
  public byte[] keyStream() {
    NoiseSource.Bits bits = source.stream(index++);
    for (int i = 0; i < BLOCKS; i++) {
      bits.fill(block);
    }
    return block;
  }
}
