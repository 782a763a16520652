/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.function.DoubleBinaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each function against its formula, and the bound that all of them share. */
final class ClippingFunctionTest {
  private static final double[] NORMS = {
    0,
    Double.MIN_VALUE,
    1e-300,
    1e-20,
    9e-5,
    2e-4,
    0.3,
    0.5,
    0.999999,
    1,
    1.000001,
    2,
    5.9,
    6,
    6.1,
    1e20,
    1e150
  };
  private static final double[] CLIP_NORMS = {1e-6, 0.5, 1, 2, 1e6};

  static Stream<Arguments> functions() {
    return Stream.of(
        function(ClippingFunction.abadi(), (n, r) -> n <= r ? 1 : r / n),
        function(ClippingFunction.automatic(), (n, r) -> r / (n + 0.01)),
        function(ClippingFunction.automatic(0.5), (n, r) -> r / (n + 0.5)),
        function(
            ClippingFunction.automaticDirection(), (n, r) -> n == 0 ? 0 : r / Math.max(n, 1e-4)),
        function(ClippingFunction.global(), (n, r) -> n <= r ? 1 : 0),
        function(ClippingFunction.global(3), (n, r) -> n <= 3 * r ? 1.0 / 3 : 0),
        function(ClippingFunction.global(0.25), (n, r) -> n <= 0.25 * r ? 4 : 0),
        function(ClippingFunction.adaptiveQuantile(0.5, 1), (n, r) -> n <= r ? 1 : r / n));
  }

  private static Arguments function(ClippingFunction function, DoubleBinaryOperator formula) {
    return Arguments.of(function, formula);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("functions")
  void factors_anyNorm_areTheFormulaAndWithinTheBound(
      ClippingFunction function, DoubleBinaryOperator formula) {
    try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
      for (double clipNorm : CLIP_NORMS) {
        NDArray norms = manager.create(NORMS);
        double[] factors = function.factors(norms, clipNorm).toDoubleArray();
        for (int i = 0; i < NORMS.length; i++) {
          double expected = formula.applyAsDouble(NORMS[i], clipNorm);
          if (expected < 1e300 && NORMS[i] >= Double.MIN_NORMAL) {
            assertThat(factors[i]).isCloseTo(expected, within(1e-14 * expected));
          }
          assertThat(factors[i]).isGreaterThanOrEqualTo(0).isFinite();
          assertThat(factors[i] * NORMS[i]).isLessThanOrEqualTo(clipNorm * (1 + 1e-14));
        }
        assertThat(function.sensitivity(clipNorm)).isEqualTo(clipNorm);
      }
    }
  }

  @Test
  void automaticDirection_zero_staysZero() {
    try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
      assertThat(
              ClippingFunction.automaticDirection()
                  .factors(manager.create(new double[] {0, 2}), 1)
                  .toDoubleArray())
          .containsExactly(0, 0.5);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, Double.POSITIVE_INFINITY})
  void construct_numberNotPositive_isRefused(double bad) {
    assertThatThrownBy(() -> ClippingFunction.global(bad))
        .hasMessageContaining("ratio must be finite and > 0, got " + bad);
    assertThatThrownBy(() -> ClippingFunction.automatic(bad))
        .hasMessageContaining("stability must be finite and > 0, got " + bad);
    assertThatThrownBy(() -> ClippingFunction.adaptiveQuantile(0.5, bad))
        .hasMessageContaining("countNoise must be in [1e-18, 1e12], got " + bad);
    assertThatThrownBy(() -> new QuantileQuery(0.5, bad, 1))
        .hasMessageContaining("learningRate must be finite and > 0, got " + bad);
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, -0.1, 1.1})
  void construct_quantileOutOfRange_isRefused(double bad) {
    assertThatThrownBy(() -> ClippingFunction.adaptiveQuantile(bad, 1))
        .hasMessageContaining("quantile must be in [0, 1], got " + bad);
  }

  @Test
  void next_shareAboveTheQuantile_lowersTheClipNormGeometrically() {
    QuantileQuery query = new QuantileQuery(0.5, 0.2, 1);
    assertThat(query.next(2, 0.5)).isEqualTo(2);
    assertThat(query.next(2, 1)).isCloseTo(2 * Math.exp(-0.1), within(1e-15));
    assertThat(query.next(2, -0.5)).isCloseTo(2 * Math.exp(0.2), within(1e-15));
    assertThatThrownBy(() -> query.next(2, Double.NaN))
        .hasMessageContaining("noisyFraction must be finite");
  }

  @Test
  void quantileQuery_allButAdaptive_none() {
    assertThat(ClippingFunction.abadi().quantileQuery()).isEmpty();
    assertThat(ClippingFunction.adaptiveQuantile(0.3, 4).quantileQuery())
        .contains(new QuantileQuery(0.3, 0.2, 4));
  }
}
