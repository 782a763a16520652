/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Percentage.withPercentage;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.GoldenTable;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.loss.LaplacePair;
import ai.fastdp.accounting.internal.solve.ContourMethod;
import ai.fastdp.accounting.internal.solve.Effort;
import ai.fastdp.accounting.internal.solve.LossComposition;
import ai.fastdp.accounting.internal.solve.TransformMethod;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Poisson samples and batches of fixed size where a record is replaced; Laplace events. */
@Tag("slow")
class ReplaceOneTest {

  static List<GoldenTable.Row> poisson() {
    return GoldenTable.read("replace_one_poisson.tsv");
  }

  static List<GoldenTable.Row> fixedBatch() {
    return GoldenTable.read("fixed_batch.tsv");
  }

  static List<GoldenTable.Row> twoSteps() {
    return GoldenTable.read("two_steps.tsv");
  }

  static List<GoldenTable.Row> curves() {
    return GoldenTable.read("rdp_replace_one.tsv");
  }

  private static FdpAccountant fdp(DpEvent event, long count) {
    FdpAccountant accountant = new FdpAccountant(NeighboringRelation.REPLACE_ONE);
    accountant.compose(event, count);
    return accountant;
  }

  private static RdpAccountant rdp(DpEvent event, long count) {
    RdpAccountant accountant = new RdpAccountant(NeighboringRelation.REPLACE_ONE);
    accountant.compose(event, count);
    return accountant;
  }

  private static void assertContains(EpsilonBound bound, double exact) {
    double slack = 1e-11 * Math.max(1, exact);
    assertThat(bound.lower().getAsDouble()).isLessThanOrEqualTo(exact + slack);
    assertThat(bound.upper().getAsDouble())
        .isGreaterThanOrEqualTo(exact - slack)
        .isLessThanOrEqualTo(bound.lower().getAsDouble() * (1 + 1e-6));
  }

  private static DpEvent batch(GoldenTable.Row row) {
    // The reference takes sigma relative to the sensitivity, which is twice the clip norm.
    return new SampledWithoutReplacementEvent(
        row.integer("batchSize"),
        row.integer("sampleSize"),
        new GaussianEvent(2 * row.number("sigma")));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("poisson")
  void epsilon_poisson_containsTheGoldenValue(GoldenTable.Row row) {
    DpEvent event = DpSgd.step(row.number("q"), row.number("sigma"));
    double delta = row.number("delta");
    assertContains(fdp(event, row.integer("steps")).epsilon(delta), row.number("exact"));
    assertThat(rdp(event, row.integer("steps")).optimum(delta).epsilon())
        .isBetween(row.number("exact"), row.number("exact") * 1.2);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("fixedBatch")
  void epsilon_fixedBatch_containsTheGoldenValue(GoldenTable.Row row) {
    double delta = row.number("delta");
    EpsilonBound bound = fdp(batch(row), row.integer("steps")).epsilon(delta);
    assertContains(bound, row.number("exact"));
    assertThat(bound.upper().getAsDouble()).isGreaterThan(row.number("attained"));
    double renyi = rdp(batch(row), row.integer("steps")).optimum(delta).epsilon();
    assertThat(renyi).isCloseTo(row.number("rdp"), withPercentage(1e-7));
    assertThat(renyi).isLessThan(row.number("wbk19"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("twoSteps")
  void delta_twoSteps_containsTheHighPrecisionValue(GoldenTable.Row row) {
    FdpAccountant accountant = new FdpAccountant(NeighboringRelation.valueOf(row.text("relation")));
    EventCells.read(row.text("events")).forEach(accountant::compose);
    double exact = row.number("delta");
    DeltaBound bound = accountant.delta(row.number("epsilon"));
    assertThat(bound.lower().getAsDouble()).isLessThanOrEqualTo(exact * (1 + 1e-13));
    assertThat(bound.upper().getAsDouble()).isGreaterThanOrEqualTo(exact * (1 - 1e-13));
    assertThat(bound.upper().getAsDouble() - bound.lower().getAsDouble())
        .isLessThanOrEqualTo(1e-5 * exact);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("curves")
  void renyiDivergence_replaceOne_agreesWithHighPrecision(GoldenTable.Row row) {
    double found =
        rdp(EventCells.read(row.text("event")).get(0), 1).renyiDivergence(row.number("order"));
    assertThat(found).isCloseTo(row.number("exact"), withPercentage(1e-10));
  }

  @Test
  void epsilon_oneStep_isTheClosedForm() {
    // A single step of a batch of fixed size is as bad as one that adds or removes, with twice the
    // sensitivity.
    FdpAccountant removed = new FdpAccountant();
    removed.compose(DpSgd.step(0.25, 0.8));
    assertThat(
            fdp(new SampledWithoutReplacementEvent(1, 4, new GaussianEvent(1.6)), 1).epsilon(1e-5))
        .isEqualTo(removed.epsilon(1e-5));
    // Laplace: delta = 1 - e^{(epsilon - t)/2}
    EpsilonBound laplace = fdp(new LaplaceEvent(1), 1).epsilon(1e-3);
    double exact = 2 + 2 * Math.log1p(-1e-3);
    assertThat(laplace.upper().getAsDouble()).isBetween(exact, exact * (1 + 1e-12));
    assertThat(laplace.lower().getAsDouble()).isBetween(exact * (1 - 1e-12), exact);
  }

  @Test
  void epsilon_allRecordsInTheBatch_isUnsampled() {
    for (double delta : new double[] {1e-3, 1e-9}) {
      assertThat(
              fdp(new SampledWithoutReplacementEvent(7, 7, new GaussianEvent(3)), 5).epsilon(delta))
          .isEqualTo(fdp(new GaussianEvent(3), 5).epsilon(delta));
    }
  }

  @Test
  void epsilon_manyLaplaceSteps_contourAndGridAgree() {
    LossComposition losses =
        new LossComposition(List.of(new LossComposition.Part(new LaplacePair(0.02), 20_000)));
    for (double delta : new double[] {1e-3, 1e-9}) {
      EpsilonInterval contour =
          new ContourMethod().epsilon(losses, Math.log(delta), Effort.LAST_RESORT, 1).orElseThrow();
      EpsilonInterval grid =
          new TransformMethod().epsilon(losses, Math.log(delta), Effort.FULL, 1).orElseThrow();
      assertThat(contour.estimate()).isBetween(grid.lower(), grid.upper());
      assertThat(grid.upper()).isLessThan(grid.lower() * (1 + 2e-5));
      assertThat(contour.upper()).isLessThan(contour.lower() * (1 + 1e-9));
    }
  }

  @Test
  void fixedBatch_otherRelations_areRefused() {
    DpEvent event = new SampledWithoutReplacementEvent(1, 10, new GaussianEvent(1));
    for (NeighboringRelation relation :
        List.of(NeighboringRelation.ADD_OR_REMOVE_ONE, NeighboringRelation.REPLACE_SPECIAL)) {
      for (PrivacyAccountant accountant :
          List.of(
              new FdpAccountant(relation),
              new RdpAccountant(relation),
              new GdpAccountant(relation))) {
        accountant.compose(new GaussianEvent(2));
        EpsilonBound before = accountant.epsilon(1e-5);
        assertThat(accountant.supports(event)).isFalse();
        assertThatThrownBy(() -> accountant.compose(event, 3))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("event must have a rule under " + relation);
        assertThat(accountant.epsilon(1e-5)).isEqualTo(before);
      }
    }
  }

  @Test
  void fixedBatch_sampledAgain_isRefused() {
    FdpAccountant accountant = new FdpAccountant(NeighboringRelation.REPLACE_ONE);
    DpEvent batch = new SampledWithoutReplacementEvent(1, 10, new GaussianEvent(1));
    assertThat(accountant.supports(new PoissonSampledEvent(0.5, batch))).isFalse();
    assertThat(accountant.supports(new SampledWithoutReplacementEvent(1, 2, batch))).isFalse();
    assertThat(accountant.supports(new SampledWithoutReplacementEvent(1, 2, new LaplaceEvent(1))))
        .isFalse();
    assertThat(accountant.supports(new PoissonSampledEvent(0.5, new LaplaceEvent(1)))).isFalse();
    assertThat(accountant.supports(new SampledWithoutReplacementEvent(0, 2, batch))).isTrue();
  }

  @Test
  void events_invalid_throw() {
    GaussianEvent release = new GaussianEvent(1);
    assertThatThrownBy(() -> new SampledWithoutReplacementEvent(-1, 10, release))
        .hasMessageContaining("batchSize must be >= 0, got -1");
    assertThatThrownBy(() -> new SampledWithoutReplacementEvent(11, 10, release))
        .hasMessageContaining("datasetSize must be >= 1 and >= batchSize 11, got 10");
    assertThatThrownBy(() -> new SampledWithoutReplacementEvent(0, 0, release))
        .hasMessageContaining("datasetSize must be >= 1");
    assertThatThrownBy(() -> new LaplaceEvent(Double.NaN))
        .hasMessageContaining("noiseMultiplier must be finite and > 0, got NaN");
  }
}
