/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import ai.fastdp.accounting.GoldenTable;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.loss.LaplacePair;
import ai.fastdp.accounting.internal.loss.PoissonGaussianPair;
import ai.fastdp.accounting.internal.solve.ContourMethod;
import ai.fastdp.accounting.internal.solve.Effort;
import ai.fastdp.accounting.internal.solve.LossComposition;
import ai.fastdp.accounting.internal.solve.TransformMethod;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("slow")
class FdpAccountantTest extends PrivacyAccountantContract {

  @Override
  PrivacyAccountant create() {
    return new FdpAccountant();
  }

  static FdpAccountant after(double q, double sigma, long steps) {
    FdpAccountant accountant = new FdpAccountant();
    accountant.compose(dpSgd(q, sigma), steps);
    return accountant;
  }

  static List<GoldenTable.Row> dpsgd() {
    return GoldenTable.read("dpsgd.tsv");
  }

  static List<GoldenTable.Row> extreme() {
    return GoldenTable.read("extreme.tsv");
  }

  static List<GoldenTable.Row> heterogeneous() {
    return GoldenTable.read("heterogeneous.tsv");
  }

  static List<GoldenTable.Row> deltaAtEpsilon() {
    return GoldenTable.read("delta_at_epsilon.tsv");
  }

  static List<GoldenTable.Row> gaussian() {
    return GoldenTable.read("gaussian_analytic.tsv");
  }

  private static double lower(EpsilonBound bound) {
    return bound.lower().getAsDouble();
  }

  private static double estimate(EpsilonBound bound) {
    return bound.estimate().getAsDouble();
  }

  private static double upper(EpsilonBound bound) {
    return bound.upper().getAsDouble();
  }

  private static void assertContains(
      EpsilonBound bound, double exact, double uncertainty, double relativeWidth) {
    assertThat(lower(bound)).isLessThanOrEqualTo(exact + uncertainty);
    assertThat(upper(bound)).isGreaterThanOrEqualTo(exact - uncertainty);
    assertThat(upper(bound) - lower(bound)).isLessThanOrEqualTo(relativeWidth * exact);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource({"dpsgd", "extreme"})
  void epsilon_golden_isContained(GoldenTable.Row row) {
    EpsilonBound bound =
        after(row.number("q"), row.number("sigma"), row.integer("steps"))
            .epsilon(row.number("delta"));
    double exact = row.number("exact");
    double uncertainty = row.number("uncertainty");
    assertContains(bound, exact, uncertainty, uncertainty > 1e-6 * exact ? 1e-3 : 1e-6);
    assertThat(estimate(bound)).isBetween(lower(bound), upper(bound));
  }

  @Test
  void epsilon_rowsWhereEstablishedToolsAreTooLow_isNot() {
    int rows = 0;
    for (GoldenTable.Row row : dpsgd()) {
      if (!row.text("unsound").equals("-")) {
        EpsilonBound bound =
            after(row.number("q"), row.number("sigma"), row.integer("steps"))
                .epsilon(row.number("delta"));
        assertThat(upper(bound))
            .isGreaterThanOrEqualTo(row.number("exact") - row.number("uncertainty"));
        rows++;
      }
    }
    assertThat(rows).isGreaterThan(30);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("heterogeneous")
  void epsilon_phases_isContained(GoldenTable.Row row) {
    FdpAccountant accountant = new FdpAccountant();
    for (String phase : row.text("phases").split(";", -1)) {
      String[] numbers = phase.split(",", -1);
      accountant.compose(
          dpSgd(Double.parseDouble(numbers[0]), Double.parseDouble(numbers[1])),
          Long.parseLong(numbers[2]));
    }
    assertContains(accountant.epsilon(row.number("delta")), row.number("exact"), 1e-10, 1e-6);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("deltaAtEpsilon")
  void delta_golden_isContained(GoldenTable.Row row) {
    DeltaBound bound =
        after(row.number("q"), row.number("sigma"), row.integer("steps"))
            .delta(row.number("epsilon"));
    double exact = Math.max(row.number("exactRemove"), row.number("exactAdd"));
    assertThat(bound.lower().getAsDouble()).isLessThanOrEqualTo(exact * (1 + 1e-9) + 1e-13);
    assertThat(bound.upper().getAsDouble()).isGreaterThanOrEqualTo(exact * (1 - 1e-9) - 1e-13);
    // Where the far tail of single steps and the bulk of all steps compete, float64 leaves few
    // digits.
    double relativeWidth = row.number("q") < 1e-3 ? exact < 1e-60 ? 1e9 : 3 : 1e-8;
    assertThat(bound.upper().getAsDouble() - bound.lower().getAsDouble())
        .isLessThanOrEqualTo(relativeWidth * exact);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("gaussian")
  void epsilon_unsampled_isAnalytic(GoldenTable.Row row) {
    EpsilonBound bound = after(1, row.number("sigma"), 1).epsilon(row.number("delta"));
    assertContains(bound, row.number("epsilon"), 1e-11 * row.number("epsilon"), 1e-10);
  }

  @Test
  void epsilon_manySteps_costDoesNotMatter() {
    // exact contour, 32-digit certified: accounting of q = 0.01, sigma = 0.8, delta = 1e-6
    assertContains(after(0.01, 0.8, 10_000).epsilon(1e-6), 11.183164196111, 1e-11, 1e-9);
    // mpmath 1.3.0, 50 digits
    assertContains(after(0.01, 0.8, 10_000_000).epsilon(1e-6), 2057.042860863227, 0, 1e-9);
    EpsilonBound many = after(0.01, 0.8, 100_000_000).epsilon(1e-6);
    assertContains(many, 18584.550113853, 1e-6, 1e-9);
    EpsilonBound billion = after(1e-5, 2, 1_000_000_000).epsilon(1e-6);
    assertThat(upper(billion) - lower(billion)).isLessThan(1e-6 * estimate(billion));
  }

  @Test
  void epsilon_tinyDelta_agreesWithHighPrecision() {
    // mpmath 1.3.0, 50 digits, contour integral by the trapezoid rule
    assertContains(after(3.3e-4, 4, 10_000).epsilon(1.1e-18), 0.06721361410591915, 1e-17, 1e-6);
    assertContains(after(1e-6, 1, 10_000_000).epsilon(1e-10), 0.02137870043884936, 1e-17, 1e-6);
  }

  /** MPFR, 330 bits: the contour integral with a quadrature error below 1e-56. */
  @Test
  void epsilon_manyStepsOfFewSampled_isContained() {
    assertContains(after(1e-7, 0.2, 1_000_000_000).epsilon(1e-5), 156.496840684647, 1e-12, 1e-9);
    assertContains(after(0.01, 0.2, 1_000_000_000).epsilon(1e-6), 71761484.1983555, 1e-6, 1e-11);
    // P restricted to where it matters to delta
    assertContains(
        after(7.04248e-7, 458.79, 1_794_993).epsilon(1.76074e-22), 1.6421270715795e-5, 1e-17, 1e-9);
  }

  /** numpy: the sum over how many of the steps' batches held the record, which the output tells. */
  @Test
  void epsilon_hugeLosses_isContained() {
    FdpAccountant accountant = new FdpAccountant(NeighboringRelation.REPLACE_ONE);
    accountant.compose(
        new SampledWithoutReplacementEvent(
            31_190, 10_000_000, new GaussianEvent(0.013630560929028293)),
        135_858_748);
    assertContains(accountant.epsilon(8.842164617362567e-11), 4603721816.35, 0.05, 1e-9);
  }

  /** The tilted law of the restricted steps rises up to where they end. MPFR as above. */
  @Test
  void epsilon_farTailOfFewSteps_isContained() {
    assertContains(
        after(0.007394456105847149, 5.23419289104755, 22).epsilon(3.3574914037280845e-45),
        0.12156985,
        1e-8,
        1e-3);
  }

  /** Delta is above its value at 0 in the restricted law, too. */
  @Test
  void epsilon_deltaAboveThatOfEpsilonZero_isZero() {
    EpsilonBound bound = after(1.5649787420383473E-5, 3.9880694272149726, 24).epsilon(2.7e-4);
    assertThat(upper(bound)).isZero();
  }

  /** One unit in the last place of sigma decided whether the lower bound was half of this. */
  @Test
  void epsilon_neighboursOfSigma_boundsDoNotJump() {
    double sigma = 6532094.319078308;
    for (int i = -20; i <= 20; i++) {
      EpsilonBound bound = after(0.01, sigma + i * Math.ulp(sigma), 1_000_000_000).epsilon(1e-100);
      assertThat(upper(bound) - lower(bound)).isLessThanOrEqualTo(1e-9 * upper(bound));
    }
  }

  /** No method has anything to say but Chernoff's bound and that of one step. */
  @Test
  void epsilon_oneOutlierDecides_isNotBelowThatOfOneStep() {
    EpsilonBound many = after(5.02187e-7, 2.28653, 13355).epsilon(1.05269e-78);
    EpsilonBound one = after(5.02187e-7, 2.28653, 1).epsilon(1.05269e-78);
    assertThat(lower(many)).isGreaterThanOrEqualTo(lower(one)).isPositive();
    assertThat(upper(many)).isGreaterThan(lower(many));
  }

  /**
   * Near the highest loss of T steps, T t, delta is hardly more than \(2^{-T} (1 - e^{\varepsilon -
   * Tt})\): exact residues of the characteristic function, mpmath.
   */
  @Test
  void epsilon_fewLaplaceSteps_isContained() {
    assertContains(laplace(2, 2, 1e-5), 0.99996000, 1e-8, 1e-7);
    assertContains(laplace(0.5, 10, 1e-100), 20, 1e-90, 1e-11);
    assertContains(laplace(1, 3, 1e-5), 2.9999200016, 1e-8, 1e-7);
    FdpAccountant accountant = new FdpAccountant();
    accountant.compose(new LaplaceEvent(2), 2);
    assertThat(accountant.delta(1 + 1e-11).upper().getAsDouble()).isZero();
  }

  private static EpsilonBound laplace(double scale, long steps, double delta) {
    FdpAccountant accountant = new FdpAccountant();
    accountant.compose(new LaplaceEvent(scale), steps);
    return accountant.epsilon(delta);
  }

  @Test
  void epsilon_methodsAgree() {
    LossComposition losses =
        new LossComposition(
            List.of(
                new LossComposition.Part(
                    new PoissonGaussianPair(0.05, 1, PoissonGaussianPair.Direction.REMOVE), 100)));
    for (double delta : new double[] {1e-3, 1e-6, 1e-10}) {
      EpsilonInterval contour =
          new ContourMethod().epsilon(losses, Math.log(delta), Effort.LAST_RESORT, 1).orElseThrow();
      EpsilonInterval fft =
          new TransformMethod().epsilon(losses, Math.log(delta), Effort.FULL, 1).orElseThrow();
      assertThat(contour.estimate()).isBetween(fft.lower(), fft.upper());
      assertThat(fft.upper() / fft.lower()).isLessThan(1 + 2e-6);
      assertThat(contour.upper() / contour.lower()).isLessThan(1 + 1e-10);
    }
  }

  @Test
  void answer_namesTheMethod() {
    assertThat(after(0.01, 0.8, 1).answer(1e-6).method()).isEqualTo("closed_form");
    assertThat(after(1, 0.8, 7).answer(1e-6).method()).isEqualTo("closed_form");
    assertThat(after(0.01, 0.8, 1000).answer(1e-6).method()).isEqualTo("contour");
    assertThat(after(1e-4, 0.3, 5).answer(1e-6).method()).isEqualTo("tilted_fft");
  }

  @Test
  void epsilon_twoGaussianPhases_equalsOneGaussian() {
    FdpAccountant accountant = new FdpAccountant();
    accountant.compose(new GaussianEvent(3), 9);
    accountant.compose(new GaussianEvent(4), 16 * 3);
    assertThat(accountant.epsilon(1e-5)).isEqualTo(after(1, 0.5, 1).epsilon(1e-5));
  }

  @Test
  void delta_andEpsilon_areInverse() {
    for (long steps : new long[] {1, 3, 1000}) {
      FdpAccountant accountant = after(0.02, 0.7, steps);
      for (double delta : new double[] {1e-3, 1e-8}) {
        double epsilon = estimate(accountant.epsilon(delta));
        assertThat(accountant.delta(epsilon).estimate().getAsDouble())
            .isCloseTo(delta, withPercentage(1e-3));
      }
    }
  }

  @Test
  void epsilon_deltaAboveTotalVariation_isZero() {
    assertThat(upper(after(1e-4, 2, 10).epsilon(0.1))).isZero();
  }

  /** Of 1,000 steps 22 or more are sampled with probability 7e-4; then the loss is huge. */
  @Test
  void quickUpper_hardlyAnyNoise_isNotBelowWhatTheSampledStepsCost() {
    double loss = 1 / (2 * 0.03 * 0.03) + Math.log(0.01);
    assertThat(after(0.01, 0.03, 1000).quickUpper(1e-5).getAsDouble()).isGreaterThan(22 * loss);
  }

  /** In nearly every step the loss is 1/0.019 - 1, and more. */
  @Test
  void fft_lossesFarFromWhereTheTiltIs_boundsHold() {
    LossComposition losses =
        new LossComposition(
            java.util.List.of(new LossComposition.Part(new LaplacePair(2 / 0.0191), 176_869)));
    EpsilonInterval found =
        new TransformMethod().epsilon(losses, Math.log(0.07), Effort.FULL, 1).orElseThrow();
    double exact =
        new ContourMethod()
            .epsilon(losses, Math.log(0.07), Effort.LAST_RESORT, 1)
            .orElseThrow()
            .estimate();
    assertThat(found.upper()).isGreaterThanOrEqualTo(exact);
    assertThat(found.lower()).isLessThanOrEqualTo(exact);
  }

  /** Other values of the curve come from a quadrature that shares no code. */
  @Test
  void rdp_hardlyAnyNoise_agreesWithTheGeneralQuadrature() {
    DominatingPair pair = new PoissonGaussianPair(0.01, 0.03, PoissonGaussianPair.Direction.REMOVE);
    RdpAccountant rdp = new RdpAccountant();
    rdp.compose(new PoissonSampledEvent(0.01, new GaussianEvent(0.03)));
    for (double c : new double[] {1e-6, 1e-3, 0.1, 3}) {
      assertThat(rdp.renyiDivergence(1 + c) * c)
          .isCloseTo(
              pair.cumulant(c).value(), org.assertj.core.data.Percentage.withPercentage(1e-8));
    }
  }
}
