/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Percentage.withPercentage;

import ai.fastdp.accounting.GoldenTable;
import ai.fastdp.accounting.calibration.NoiseCalibration;
import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DiscreteGaussianEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.QuantileQueryEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("slow")
class DiscreteGaussianEventTest {
  static List<GoldenTable.Row> rows() {
    return GoldenTable.read("discrete_gaussian.tsv");
  }

  private static RdpAccountant after(DpEvent event, long count) {
    RdpAccountant accountant = new RdpAccountant();
    accountant.compose(event, count);
    return accountant;
  }

  private static DpEvent sampled(double q, double sigma) {
    return new PoissonSampledEvent(q, new DiscreteGaussianEvent(sigma));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("rows")
  void renyiDivergence_sumsOverTheIntegers_isNeverBelowAndAtIntegerOrdersEqual(
      GoldenTable.Row row) {
    double order = row.number("order");
    double bound = after(sampled(row.number("q"), row.number("sigma")), 1).renyiDivergence(order);
    double truth = Math.max(row.number("remove"), row.number("add"));
    assertThat(bound).isGreaterThanOrEqualTo(truth * (1 - 1e-12));
    // A record added is never worse, which the rule for samples rests on.
    assertThat(row.number("add")).isLessThanOrEqualTo(row.number("remove") * (1 + 1e-15));
    if (order == Math.rint(order)) {
      assertThat(bound).isCloseTo(truth, withPercentage(1e-10));
    }
  }

  @Test
  void epsilon_unsampled_isThatOfOneHalfConcentratedPrivacy() {
    RdpAccountant discrete = after(new DiscreteGaussianEvent(2), 10);
    RdpAccountant continuous = after(new GaussianEvent(2), 10);
    // rho = 10 / (2 * 2^2): the divergence of order a is at most rho a (2004.00010, theorem 14).
    assertThat(discrete.renyiDivergence(2.7)).isCloseTo(1.25 * 2.7, withPercentage(1e-10));
    assertThat(discrete.epsilon(1e-6).upper().getAsDouble())
        .isCloseTo(continuous.epsilon(1e-6).upper().getAsDouble(), withPercentage(1e-9));
  }

  @ParameterizedTest(name = "rate {0}")
  @ValueSource(doubles = {1e-4, 0.01, 0.2, 0.9})
  void epsilon_sampled_isAtLeastTheGaussiansAndHardlyMore(double rate) {
    for (double sigma : new double[] {0.8, 1.5, 5}) {
      double discrete = after(sampled(rate, sigma), 1000).epsilon(1e-6).upper().getAsDouble();
      double continuous =
          after(new PoissonSampledEvent(rate, new GaussianEvent(sigma)), 1000)
              .epsilon(1e-6)
              .upper()
              .getAsDouble();
      assertThat(discrete).isGreaterThanOrEqualTo(continuous * (1 - 1e-9));
      // By five per cent where the best order is 3 or more; below, a chord is all there is.
      double order = after(sampled(rate, sigma), 1000).optimum(1e-6).order();
      assertThat(discrete).isLessThan(continuous * (order >= 3 ? 1.05 : 3));
    }
  }

  /** Without the cap q = 0.9 cost up to half as much again as q = 1. */
  @ParameterizedTest(name = "sigma {0}")
  @ValueSource(doubles = {0.3, 0.8, 1.5, 5, 40})
  void epsilon_sampled_isMonotoneUpToTheUnsampled(double sigma) {
    for (long steps : new long[] {1, 30, 1000}) {
      for (double delta : new double[] {1e-2, 1e-6, 1e-12}) {
        double last = 0;
        for (double rate : new double[] {0.3, 0.5, 0.7, 0.9, 0.99, 1 - 1e-9, 1}) {
          double epsilon = after(sampled(rate, sigma), steps).optimum(delta).epsilon();
          assertThat(epsilon).isGreaterThanOrEqualTo(last * (1 - 1e-9));
          last = epsilon;
        }
        assertThat(last)
            .isCloseTo(
                after(new GaussianEvent(sigma), steps).optimum(delta).epsilon(),
                withPercentage(1e-7));
      }
    }
  }

  /** The search for the best order relies on it. */
  @ParameterizedTest(name = "rate {0}")
  @ValueSource(doubles = {0.01, 0.5, 0.9, 0.999})
  void renyiDivergence_sampled_cumulantIsConvexAndAboveTheContinuous(double rate) {
    for (double sigma : new double[] {0.4, 1, 3}) {
      RdpAccountant discrete = after(sampled(rate, sigma), 1);
      RdpAccountant continuous = after(new PoissonSampledEvent(rate, new GaussianEvent(sigma)), 1);
      double h = 0.01;
      for (double order = 1 + 2 * h; order < 6; order += h) {
        double middle = (order - 1) * discrete.renyiDivergence(order);
        double left = (order - h - 1) * discrete.renyiDivergence(order - h);
        double right = (order + h - 1) * discrete.renyiDivergence(order + h);
        assertThat(left + right - 2 * middle).isGreaterThanOrEqualTo(-1e-12 * right);
        assertThat(discrete.renyiDivergence(order))
            .isGreaterThanOrEqualTo(continuous.renyiDivergence(order) * (1 - 1e-12))
            .isLessThanOrEqualTo(order / (2 * sigma * sigma) * (1 + 1e-12));
      }
    }
  }

  @Test
  void epsilon_queryOfTheSameSample_addsItsPrecision() {
    DpEvent both =
        new PoissonSampledEvent(
            0.1,
            new ComposedEvent(List.of(new DiscreteGaussianEvent(2), new QuantileQueryEvent(3))));
    double combined = 1 / Math.sqrt(1 / 4.0 + 1 / 36.0);
    for (double order : new double[] {1.5, 2, 9}) {
      assertThat(after(both, 3).renyiDivergence(order))
          .isCloseTo(
              after(sampled(0.1, combined), 3).renyiDivergence(order), withPercentage(1e-10));
    }
    // One discrete part is enough to make the rule the discrete one.
    assertThat(new FdpAccountant().supports(both)).isFalse();
  }

  @Test
  void epsilon_unsampledReplacedRecord_doublesTheSensitivity() {
    RdpAccountant accountant = new RdpAccountant(NeighboringRelation.REPLACE_ONE);
    accountant.compose(new DiscreteGaussianEvent(2));
    assertThat(accountant.renyiDivergence(3)).isCloseTo(1.5, withPercentage(1e-10));
  }

  @ParameterizedTest
  @EnumSource(NeighboringRelation.class)
  void compose_fdpAndGdp_refuseAndNameTheAccountantThatDoesNot(NeighboringRelation relation) {
    for (PrivacyAccountant accountant :
        List.of(new FdpAccountant(relation), new GdpAccountant(relation))) {
      for (DpEvent event : List.of(new DiscreteGaussianEvent(1), sampled(0.1, 1))) {
        assertThat(accountant.supports(event)).isFalse();
        assertThatThrownBy(() -> accountant.compose(event))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContainingAll("DiscreteGaussianEvent", "with RdpAccountant");
      }
    }
  }

  @Test
  void compose_samplesWithoutARule_areRefused() {
    RdpAccountant replaced = new RdpAccountant(NeighboringRelation.REPLACE_ONE);
    assertThatThrownBy(() -> replaced.compose(sampled(0.1, 1)))
        .hasMessageContaining("REPLACE_ONE")
        .hasMessageContaining("ADD_OR_REMOVE_ONE");
    DpEvent batch = new SampledWithoutReplacementEvent(1, 10, new DiscreteGaussianEvent(1));
    assertThatThrownBy(() -> replaced.compose(batch)).hasMessageContaining("Poisson");
    assertThat(replaced.epsilon(1e-5)).isEqualTo(EpsilonBound.zero());
  }

  @Test
  void noiseMultiplier_notFinitePositive_isRefused() {
    for (double bad : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatThrownBy(() -> new DiscreteGaussianEvent(bad))
          .hasMessage("noiseMultiplier must be finite and > 0, got " + bad);
    }
  }

  @Test
  void calibration_budget_isMetAndNotWasted() {
    PrivacyBudget budget = new PrivacyBudget(2, 1e-6);
    double sigma =
        NoiseCalibration.noiseMultiplier(
            RdpAccountant::new, budget, s -> new SelfComposedEvent(sampled(0.02, s), 500));
    assertThat(after(sampled(0.02, sigma), 500).epsilon(1e-6).upper().getAsDouble())
        .isBetween(2 * (1 - 1e-6), 2.0);
  }
}
