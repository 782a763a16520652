/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.KernelsFixture;
import ai.fastdp.internal.ghost.PerSampleGradients;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** One sample more or less does not change what float32 loses of all the others. */
@Tag("slow")
final class ClippedGradientSumTest {
  private static final int SAMPLES = 4096;

  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  private static Parameter parameter(NDManager manager) {
    Parameter parameter = Parameter.builder().setName("b").setType(Parameter.Type.BIAS).build();
    parameter.setShape(new Shape(1));
    parameter.initialize(manager, DataType.FLOAT32);
    return parameter;
  }

  /** Adds micro-batches of one sample each. */
  private static void add(ClippedGradientSum sum, Parameter parameter, float value, int times) {
    for (int n = 0; n < times; n++) {
      try (NDManager scope = FIXTURE.manager().newSubManager()) {
        PerSampleGradients gradients = new PerSampleGradients(FIXTURE.kernels(), scope, 1, 1 << 10);
        gradients
            .contributions()
            .addDense(parameter, scope.create(new float[] {value}, new Shape(1, 1)));
        NDArray one = scope.ones(new Shape(1, 1));
        sum.add(gradients, one, scope.ones(new Shape(1), DataType.BOOLEAN));
      }
    }
  }

  private static float sumOf(int ones, float small) {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      Parameter parameter = parameter(scope);
      ClippedGradientSum sum = new ClippedGradientSum(FIXTURE.kernels(), scope, List.of(parameter));
      add(sum, parameter, 1, ones);
      add(sum, parameter, small, SAMPLES);
      return sum.flat().getFloat(0);
    }
  }

  @Test
  void add_manyBesideALargeSum_countWithAndWithoutOneMore() {
    // Beside 4097 this is less than half a unit in the last place, and beside 4096 it is more.
    float small = -0.49f * Math.ulp(4096f);
    float all = sumOf(SAMPLES + 1, small);
    float others = sumOf(SAMPLES, small);
    assertThat(all - others).isBetween(1 - 1e-3f, 1 + 1e-3f);
  }

  @Test
  void flat_afterManyAdditions_isTheirSumAndStaysSo() {
    try (NDManager scope = FIXTURE.manager().newSubManager()) {
      Parameter parameter = parameter(scope);
      ClippedGradientSum sum = new ClippedGradientSum(FIXTURE.kernels(), scope, List.of(parameter));
      ClippedGradientSum other =
          new ClippedGradientSum(FIXTURE.kernels(), scope, List.of(parameter));
      add(sum, parameter, 1, 200);
      add(other, parameter, 1, 100);
      sum.take(other);
      assertThat(sum.flat().getFloat(0)).isEqualTo(300);
      add(sum, parameter, 1, 100);
      assertThat(sum.flat().getFloat(0)).isEqualTo(400);
      assertThat(other.flat().getFloat(0)).isZero();
      sum.clear();
      assertThat(sum.flat().getFloat(0)).isZero();
    }
  }
}
