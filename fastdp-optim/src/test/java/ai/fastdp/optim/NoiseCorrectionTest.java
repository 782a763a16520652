/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.kernel.BookKeepingKernels;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.mechanism.ClippedGradientSum;
import ai.fastdp.mechanism.GaussianMechanism;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.optimizer.OptimizerState;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** The second moment of gradients that are noise and nothing else. */
final class NoiseCorrectionTest {
  private static final int SIZE = 20_000;
  private static final int UPDATES = 50;
  private static final float BETA2 = 0.9f;
  private static final float FLOOR = 1e-6f;
  private static final double SIGMA = 1.3;
  private static final double SENSITIVITY = 0.5;
  private static final double BATCH = 16;

  @Test
  void secondMoment_noiseAlone_isZeroCorrectedAndTheNoiseVariancePlain() {
    double variance = Math.pow(SIGMA * SENSITIVITY / BATCH, 2);
    try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
      Parameter parameter = Parameter.builder().setName("w").setType(Parameter.Type.WEIGHT).build();
      parameter.setArray(manager.zeros(new Shape(SIZE)));
      TorchScriptModule kernels = BookKeepingKernels.compile(manager);
      try (ClippedGradientSum sum = new ClippedGradientSum(kernels, manager, List.of(parameter));
          GaussianMechanism mechanism =
              new GaussianMechanism(kernels, manager, NoiseSource.secure(), BATCH, 0);
          DpAdam optimizer = DpAdam.builder().optBeta2(BETA2).optNoiseCorrection(FLOOR).build()) {
        for (int t = 0; t < UPDATES; t++) {
          optimizer.update(mechanism.privatize(sum, SIGMA, SENSITIVITY));
          sum.clear();
        }
        OptimizerState state = optimizer.state();
        double correction = 1 - Math.pow(BETA2, UPDATES);
        NDArray moments =
            Objects.requireNonNull(state.arrays().get("variance")).get(0).div(correction);
        double plain = moments.mean().getFloat();
        double corrected =
            plain - Objects.requireNonNull(state.numbers().get("noiseVariance")) / correction;
        // A mean of SIZE averages whose weights' squares sum to (1 - beta2) / (1 + beta2) has a
        // deviation of 0.0023 variances; six of them are exceeded twice in a billion times.
        double deviation = Math.sqrt(2 * (1 - BETA2) / (1 + BETA2) / SIZE) * variance;
        assertThat(plain).isCloseTo(variance, offset(6 * deviation));
        assertThat(corrected).isCloseTo(0, offset(6 * deviation));
      }
    }
  }
}
