/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Percentage.withPercentage;

import ai.fastdp.accounting.GoldenTable;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RdpAccountantTest extends PrivacyAccountantContract {

  @Override
  PrivacyAccountant create() {
    return new RdpAccountant();
  }

  static RdpAccountant after(double q, double sigma, long steps) {
    RdpAccountant accountant = new RdpAccountant();
    accountant.compose(dpSgd(q, sigma), steps);
    return accountant;
  }

  static List<GoldenTable.Row> curves() {
    return GoldenTable.read("rdp_curves.tsv");
  }

  static List<GoldenTable.Row> extremeCurves() {
    return GoldenTable.read("rdp_curves_extreme.tsv");
  }

  static List<GoldenTable.Row> dpsgd() {
    return GoldenTable.read("dpsgd.tsv");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource({"curves", "extremeCurves"})
  void renyiDivergence_golden_agreesTo12Digits(GoldenTable.Row row) {
    double divergence =
        after(row.number("q"), row.number("sigma"), 1).renyiDivergence(row.number("order"));
    assertThat(divergence).isCloseTo(row.number("exact"), withPercentage(1e-10));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("dpsgd")
  void epsilon_golden_isTheBestOrderAndNeverBelowTheTruth(GoldenTable.Row row) {
    RdpAccountant accountant = after(row.number("q"), row.number("sigma"), row.integer("steps"));
    RdpAccountant.Optimum optimum = accountant.optimum(row.number("delta"));
    if (row.number("q") < 1) { // the reference was computed for q < 1 only
      assertThat(optimum.epsilon()).isCloseTo(row.number("rdpBestEpsilon"), withPercentage(1e-4));
    }
    assertThat(optimum.epsilon())
        .isGreaterThanOrEqualTo(row.number("exact") - row.number("uncertainty"));
    assertThat(optimum.epsilon()).isLessThanOrEqualTo(row.number("opacusRdp") * (1 + 1e-9));
    assertThat(accountant.epsilon(row.number("delta")))
        .isEqualTo(EpsilonBound.atMost(optimum.epsilon()));
    assertThat(accountant.epsilonAtOrder(row.number("delta"), optimum.order()))
        .isCloseTo(optimum.epsilon(), withPercentage(1e-10));
  }

  @Test
  void renyiDivergence_unsampled_isClosedForm() {
    for (double order : new double[] {1.0001, 1.5, 2, 64, 1e6}) {
      assertThat(after(1, 1.7, 3).renyiDivergence(order))
          .isCloseTo(3 * order / (2 * 1.7 * 1.7), withPercentage(1e-10));
    }
  }

  @Test
  void renyiDivergence_replaceOne_doublesTheSensitivity() {
    RdpAccountant accountant = new RdpAccountant(NeighboringRelation.REPLACE_ONE);
    accountant.compose(new GaussianEvent(2));
    assertThat(accountant.renyiDivergence(3)).isCloseTo(1.5, withPercentage(1e-10));
  }

  @Test
  void renyiDivergence_almostNoNoise_isInfiniteOrAnUpperBound() {
    RdpAccountant accountant = after(0.01, 1e-200, 1);
    assertThat(accountant.renyiDivergence(2)).isPositive().isInfinite();
    assertThat(accountant.epsilon(1e-5).upper().getAsDouble()).isPositive().isInfinite();
    // mpmath 1.3.0: log(1 - q^2 + q^2 e^{1/s^2}) at q = 0.1, s = 1/32 and at s = 1/2048
    assertThat(after(0.1, 0x1p-5, 1).renyiDivergence(2))
        .isCloseTo(1024 + 2 * Math.log(0.1), withPercentage(1e-10));
    assertThat(after(0.1, 0x1p-11, 1).renyiDivergence(2))
        .isBetween(0x1p22 + 2 * Math.log(0.1), (0x1p22 + 2 * Math.log(0.1)) * (1 + 1e-12));
  }

  @Test
  void epsilon_zeroOut_equalsAddOrRemove() {
    RdpAccountant zeroOut = new RdpAccountant(NeighboringRelation.REPLACE_SPECIAL);
    zeroOut.compose(dpSgd(0.01, 1), 1000);
    assertThat(zeroOut.epsilon(1e-6)).isEqualTo(after(0.01, 1, 1000).epsilon(1e-6));
  }

  @Test
  void optimum_extremeParameters_isFiniteAndAtTheMinimum() {
    double[][] cases = {
      {1e-7, 1, 1e9, 1e-9},
      {1e-7, 1000, 1e9, 1e-9},
      {0.5, 1000, 1e9, 1e-100},
      {1e-7, 0.3, 1, 1e-5},
      {0.01, 0.05, 1e9, 1e-12},
      {0.999, 0.02, 10, 1e-3}
    };
    for (double[] c : cases) {
      RdpAccountant accountant = after(c[0], c[1], (long) c[2]);
      RdpAccountant.Optimum optimum = accountant.optimum(c[3]);
      assertThat(optimum.epsilon()).isPositive().isFinite();
      for (double factor : new double[] {0.3, 0.9, 1.1, 3}) {
        assertThat(accountant.epsilonAtOrder(c[3], 1 + (optimum.order() - 1) * factor))
            .isGreaterThanOrEqualTo(optimum.epsilon() * (1 - 1e-9));
      }
    }
  }

  @Test
  void renyiDivergence_invalidOrder_throws() {
    for (double order : new double[] {1, 0, -3, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatThrownBy(() -> after(0.1, 1, 1).renyiDivergence(order))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("order must be finite and > 1, got " + order);
    }
  }
}
