/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.calibration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.GoldenTable;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.accountant.GdpAccountant;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.NoOpEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class NoiseCalibrationTest {

  static List<GoldenTable.Row> calibration() {
    return GoldenTable.read("calibration.tsv");
  }

  private static double rdpEpsilon(double q, double sigma, long steps, double delta) {
    return DpSgd.rdp(q, sigma, steps).optimum(delta).epsilon();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("calibration")
  void noiseMultiplier_rdp_meetsTheTargetWithoutWaste(GoldenTable.Row row) {
    double q = row.number("q");
    long steps = row.integer("steps");
    double delta = row.number("delta");
    double target = row.number("targetEpsilon");
    double sigma =
        NoiseCalibration.noiseMultiplier(
            RdpAccountant::new, new PrivacyBudget(target, delta), q, steps);
    double epsilon = rdpEpsilon(q, sigma, steps, delta);
    assertThat(epsilon).isLessThanOrEqualTo(target);
    assertThat(epsilon).isGreaterThan(target * (1 - 1e-7));
    assertThat(rdpEpsilon(q, sigma * (1 - 1e-6), steps, delta)).isGreaterThan(target);
    // At least the exact noise, and less than a tool with fixed orders needs.
    assertThat(sigma).isGreaterThan(row.number("exact"));
    assertThat(sigma).isLessThanOrEqualTo(row.number("dpAccountingRdp") * (1 + 1e-5));
  }

  @Test
  void noiseMultiplier_extremeTargets_areMet() {
    double[][] cases = {
      {1e-3, 1e-12, 0.9, 1e6}, {1e5, 1e-5, 1, 1}, {1e-3, 1e-5, 1e-7, 1}, {200, 1e-100, 0.5, 1e9}
    };
    for (double[] c : cases) {
      double sigma =
          NoiseCalibration.noiseMultiplier(
              RdpAccountant::new, new PrivacyBudget(c[0], c[1]), c[2], (long) c[3]);
      double epsilon = rdpEpsilon(c[2], sigma, (long) c[3], c[1]);
      assertThat(epsilon).isLessThanOrEqualTo(c[0]).isGreaterThan(c[0] * (1 - 1e-4));
    }
  }

  @Test
  void noiseMultiplier_nothingToProtect_isTheSmallestTried() {
    PrivacyBudget budget = new PrivacyBudget(1, 1e-5);
    assertThat(NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, 0, 100))
        .isEqualTo(0x1p-9);
    assertThat(NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, 0.5, 0))
        .isEqualTo(0x1p-9);
  }

  @Test
  void noiseMultiplier_unreachable_saysWhatIsReachable() {
    assertThatThrownBy(
            () ->
                NoiseCalibration.noiseMultiplier(
                    RdpAccountant::new, new PrivacyBudget(1e-9, 1e-12), 1, 1_000_000_000_000L))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageMatching(
            "epsilon must be reachable, got 1.0E-9; .*reaches [0-9.E-]+ at delta.*");
  }

  @Test
  void noiseMultiplier_invalidArguments_throw() {
    PrivacyBudget budget = new PrivacyBudget(1, 1e-5);
    assertThatThrownBy(
            () -> NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, Double.NaN, 1))
        .hasMessageContaining("sampleRate must be in [0, 1], got NaN");
    assertThatThrownBy(() -> NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, 0.1, -1))
        .hasMessageContaining("steps must be >= 0, got -1");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("calibration")
  void noiseMultiplier_fdp_equalsTheExactNoise(GoldenTable.Row row) {
    double target = row.number("targetEpsilon");
    double delta = row.number("delta");
    double sigma =
        NoiseCalibration.noiseMultiplier(
            FdpAccountant::new,
            new PrivacyBudget(target, delta),
            row.number("q"),
            row.integer("steps"));
    assertThat(sigma)
        .isCloseTo(row.number("exact"), org.assertj.core.data.Percentage.withPercentage(2e-6));
    FdpAccountant accountant = DpSgd.fdp(row.number("q"), sigma, row.integer("steps"));
    assertThat(accountant.epsilon(delta).upper().getAsDouble())
        .isLessThanOrEqualTo(target)
        .isGreaterThan(target * (1 - 1e-7));
  }

  @Test
  void noiseMultiplier_gdp_onlyAsAnEstimate() {
    PrivacyBudget budget = new PrivacyBudget(1, 1e-6);
    assertThatThrownBy(
            () -> NoiseCalibration.noiseMultiplier(GdpAccountant::new, budget, 0.01, 10_000))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("upper bound");
    // opacus 1.5.4, get_noise_multiplier with gdp: 4.296875 to a tolerance of 0.01 in epsilon
    assertThat(
            NoiseCalibration.noiseMultiplier(
                GdpAccountant::new, budget, 0.01, 10_000, NoiseCalibration.Basis.ESTIMATE))
        .isBetween(4.25, 4.296875);
  }

  @Test
  void runCalibration_steps_isTheLastThatFits() {
    PrivacyBudget budget = new PrivacyBudget(2, 1e-6);
    long steps = RunCalibration.steps(RdpAccountant::new, budget, DpSgd.step(0.01, 1.1));
    assertThat(rdpEpsilon(0.01, 1.1, steps, 1e-6)).isLessThanOrEqualTo(2);
    assertThat(rdpEpsilon(0.01, 1.1, steps + 1, 1e-6)).isGreaterThan(2);
    assertThat(RunCalibration.steps(RdpAccountant::new, budget, new NoOpEvent()))
        .isEqualTo(Long.MAX_VALUE);
    assertThatThrownBy(
            () -> RunCalibration.steps(RdpAccountant::new, budget, new GaussianEvent(0.5)))
        .hasMessageContaining("at least one step");
  }

  @Test
  void runCalibration_sampleRate_isTheLargestThatFits() {
    PrivacyBudget budget = new PrivacyBudget(2, 1e-6);
    double rate = RunCalibration.sampleRate(RdpAccountant::new, budget, 1.1, 2000);
    assertThat(rdpEpsilon(rate, 1.1, 2000, 1e-6)).isLessThanOrEqualTo(2);
    assertThat(rdpEpsilon(rate * (1 + 1e-8), 1.1, 2000, 1e-6)).isGreaterThan(2);
    assertThat(RunCalibration.sampleRate(RdpAccountant::new, budget, 1000, 2)).isEqualTo(1);
  }

  @Test
  void runCalibration_steps_byEveryAccountant() {
    PrivacyBudget budget = new PrivacyBudget(2, 1e-6);
    DpEvent step = DpSgd.step(0.01, 1.1);
    for (Supplier<PrivacyAccountant> accountant : ACCOUNTANTS) {
      long steps = RunCalibration.steps(accountant, budget, step, basis(accountant));
      assertThat(value(accountant, step, steps, 1e-6)).isLessThanOrEqualTo(2);
      assertThat(value(accountant, step, steps + 1, 1e-6)).isGreaterThan(2);
    }
    // Far beyond what double numbers tell apart.
    assertThat(RunCalibration.steps(RdpAccountant::new, budget, new GaussianEvent(1e9)))
        .isGreaterThan(1L << 53);
  }

  @Test
  void runCalibration_sampleRate_byEveryAccountant() {
    PrivacyBudget budget = new PrivacyBudget(2, 1e-6);
    for (Supplier<PrivacyAccountant> accountant : ACCOUNTANTS) {
      double rate = RunCalibration.sampleRate(accountant, budget, 1.1, 2000, basis(accountant));
      DpEvent step = DpSgd.step(rate, 1.1);
      DpEvent more = DpSgd.step(rate * (1 + 1e-6), 1.1);
      assertThat(value(accountant, step, 2000, 1e-6)).isLessThanOrEqualTo(2);
      assertThat(value(accountant, more, 2000, 1e-6)).isGreaterThan(2);
    }
    assertThatThrownBy(
            () ->
                RunCalibration.sampleRate(
                    RdpAccountant::new, new PrivacyBudget(1e-9, 1e-30), 0.1, 1_000_000_000L))
        .hasMessageMatching(
            "epsilon must be reachable, got 1.0E-9; with sample rate .* reaches .*");
  }

  @Test
  void runCalibration_delta_byEveryAccountant() {
    DpEvent step = DpSgd.step(0.01, 1.1);
    DpEvent run = new SelfComposedEvent(step, 2000);
    for (double epsilon : new double[] {0.3, 2, 8}) {
      for (Supplier<PrivacyAccountant> accountant : ACCOUNTANTS) {
        double delta = RunCalibration.delta(accountant, epsilon, run, basis(accountant));
        assertThat(value(accountant, run, 1, delta)).isLessThanOrEqualTo(epsilon);
        assertThat(value(accountant, run, 1, delta * (1 - 1e-5))).isGreaterThan(epsilon);
      }
      FdpAccountant fdp = new FdpAccountant();
      fdp.compose(run);
      assertThat(RunCalibration.delta(FdpAccountant::new, epsilon, run))
          .isCloseTo(
              fdp.delta(epsilon).upper().getAsDouble(),
              org.assertj.core.data.Percentage.withPercentage(1e-4));
    }
  }

  @Test
  void runCalibration_deltaAtTheEnds_isTheSmallestOrAnError() {
    assertThat(RunCalibration.delta(RdpAccountant::new, 1, new NoOpEvent())).isEqualTo(1e-300);
    assertThatThrownBy(() -> RunCalibration.delta(FdpAccountant::new, 1, new GaussianEvent(0.01)))
        .hasMessageMatching("epsilon must be reachable, got 1.0; with delta .* reaches .*");
    assertThatThrownBy(
            () -> RunCalibration.delta(FdpAccountant::new, Double.NaN, new GaussianEvent(1)))
        .hasMessageContaining("epsilon must be finite and > 0, got NaN");
  }

  @Test
  void noiseMultiplier_fdpExtremeTargets_areMetWithoutWaste() {
    double[][] cases = {
      {1e-3, 1e-6, 0.01, 1e9}, {1e-3, 1e-100, 0.01, 1e9}, {1e-3, 1e-12, 0.9, 1e6},
      {1, 1e-100, 0.01, 1e4}, {200, 1e-100, 0.5, 1e9}, {1e5, 1e-5, 1, 1}
    };
    for (double[] c : cases) {
      long steps = (long) c[3];
      double sigma =
          NoiseCalibration.noiseMultiplier(
              FdpAccountant::new, new PrivacyBudget(c[0], c[1]), c[2], steps);
      EpsilonBound bound = DpSgd.fdp(c[2], sigma, steps).epsilon(c[1]);
      assertThat(bound.upper().getAsDouble())
          .isLessThanOrEqualTo(c[0])
          .isGreaterThan(c[0] * 0.9999);
      assertThat(bound.lower().getAsDouble()).isGreaterThan(c[0] * (1 - 1e-6));
    }
  }

  private static final List<Supplier<PrivacyAccountant>> ACCOUNTANTS =
      List.of(RdpAccountant::new, GdpAccountant::new, FdpAccountant::new);

  private static NoiseCalibration.Basis basis(Supplier<PrivacyAccountant> accountant) {
    return accountant.get() instanceof GdpAccountant
        ? NoiseCalibration.Basis.ESTIMATE
        : NoiseCalibration.Basis.UPPER_BOUND;
  }

  private static double value(
      Supplier<PrivacyAccountant> accountant, DpEvent event, long count, double delta) {
    PrivacyAccountant after = accountant.get();
    after.compose(event, count);
    return DpSgd.value(after, delta);
  }

  @Test
  void rdpDelta_isTheInverseOfEpsilon() {
    RdpAccountant accountant = DpSgd.rdp(0.01, 1.1, 2000);
    for (double delta : new double[] {1e-3, 1e-6, 1e-12}) {
      assertThat(accountant.delta(accountant.optimum(delta).epsilon()).upper().getAsDouble())
          .isCloseTo(delta, org.assertj.core.data.Percentage.withPercentage(1e-4));
    }
  }

  @Test
  void noiseMultiplier_runOfStepsThatDiffer_meetsTheBudgetFromBelow() {
    PrivacyBudget budget = new PrivacyBudget(2, 1e-6);
    java.util.function.DoubleFunction<DpEvent> run =
        sigma ->
            new ComposedEvent(
                java.util.List.of(
                    new SelfComposedEvent(
                        new PoissonSampledEvent(0.01, new GaussianEvent(sigma)), 500),
                    new SelfComposedEvent(
                        new PoissonSampledEvent(0.01, new GaussianEvent(2 * sigma)), 500)));
    double sigma = NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, run);
    assertThat(epsilon(run.apply(sigma))).isLessThanOrEqualTo(2).isGreaterThan(2 - 1e-6);
    assertThat(epsilon(run.apply(sigma * (1 - 1e-8)))).isGreaterThan(2);
    // Between the noise of 500 steps and that of 1,000.
    assertThat(sigma)
        .isBetween(
            NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, 0.01, 500),
            NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, 0.01, 1000));
  }

  private static double epsilon(DpEvent run) {
    RdpAccountant accountant = new RdpAccountant();
    accountant.compose(run);
    return accountant.epsilon(1e-6).upper().orElseThrow();
  }
}
