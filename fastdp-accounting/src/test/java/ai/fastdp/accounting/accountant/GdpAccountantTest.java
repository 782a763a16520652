/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import ai.fastdp.accounting.GoldenTable;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.ledger.InMemoryLedger;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class GdpAccountantTest extends PrivacyAccountantContract {

  @Override
  PrivacyAccountant create() {
    return new GdpAccountant();
  }

  static List<GoldenTable.Row> dpsgd() {
    return GoldenTable.read("dpsgd.tsv");
  }

  static List<GoldenTable.Row> gaussian() {
    return GoldenTable.read("gaussian_analytic.tsv");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("dpsgd")
  void mu_golden_agrees(GoldenTable.Row row) {
    if (row.number("q") == 1) {
      return; // opacus applies the formula for q < 1 there, which is wrong
    }
    GdpAccountant accountant = new GdpAccountant();
    accountant.compose(dpSgd(row.number("q"), row.number("sigma")), row.integer("steps"));
    assertThat(accountant.mu()).isCloseTo(row.number("opacusGdpMu"), withPercentage(1e-10));
    EpsilonBound bound = accountant.epsilon(row.number("delta"));
    assertThat(bound.upper()).isEmpty();
    assertThat(bound.lower()).isEmpty();
    double reference = row.number("opacusGdpEpsilon");
    if (!Double.isNaN(reference)) {
      assertThat(bound.estimate().getAsDouble()).isCloseTo(reference, withPercentage(1e-7));
    }
    assertThat(accountant.delta(bound.estimate().getAsDouble()).estimate().getAsDouble())
        .isLessThanOrEqualTo(row.number("delta") * (1 + 1e-9));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("dpsgd")
  void mu_fixedBatch_agreesWithTheUniformFormula(GoldenTable.Row row) {
    if (row.number("q") == 1) {
      return; // as above
    }
    GdpAccountant accountant = new GdpAccountant(NeighboringRelation.REPLACE_ONE);
    long datasetSize = 1_000_000_000_000_000L;
    accountant.compose(
        new SampledWithoutReplacementEvent(
            Math.round(row.number("q") * datasetSize),
            datasetSize,
            new GaussianEvent(2 * row.number("sigma"))),
        row.integer("steps"));
    assertThat(accountant.mu()).isCloseTo(row.number("opacusGdpMuUniform"), withPercentage(1e-9));
    assertThat(accountant.isExact()).isFalse();
    EpsilonBound bound = accountant.epsilon(row.number("delta"));
    assertThat(bound.upper()).isEmpty();
    double reference = row.number("opacusGdpEpsilonUniform");
    if (!Double.isNaN(reference)) {
      assertThat(bound.estimate().getAsDouble()).isCloseTo(reference, withPercentage(1e-7));
    }
  }

  @Test
  void supports_whatHasNoFormula_isFalse() {
    assertThat(new GdpAccountant().supports(new LaplaceEvent(1))).isFalse();
    GdpAccountant replace = new GdpAccountant(NeighboringRelation.REPLACE_ONE);
    assertThat(replace.supports(dpSgd(0.1, 1))).isFalse();
    assertThat(replace.supports(new GaussianEvent(1))).isTrue();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("gaussian")
  void epsilon_unsampled_isExact(GoldenTable.Row row) {
    GdpAccountant accountant = new GdpAccountant();
    accountant.compose(new GaussianEvent(row.number("sigma")));
    EpsilonBound bound = accountant.epsilon(row.number("delta"));
    assertThat(accountant.isExact()).isTrue();
    assertThat(bound.upper().getAsDouble()).isCloseTo(row.number("epsilon"), withPercentage(1e-8));
    assertThat(bound.lower().getAsDouble())
        .isLessThanOrEqualTo(row.number("epsilon") * (1 + 1e-11));
    assertThat(bound.upper().getAsDouble())
        .isGreaterThanOrEqualTo(row.number("epsilon") * (1 - 1e-11));
  }

  @Test
  void mu_phases_addInSquares() {
    GdpAccountant accountant = new GdpAccountant();
    accountant.compose(dpSgd(0.1, 1), 100);
    accountant.compose(new GaussianEvent(5), 25);
    assertThat(accountant.mu()).isCloseTo(Math.sqrt(Math.expm1(1) + 1), withPercentage(1e-12));
    assertThat(accountant.isExact()).isFalse();
  }

  @Test
  void ledger_withAnEstimate_refuses() {
    InMemoryLedger ledger = new InMemoryLedger(new GdpAccountant(), new PrivacyBudget(8, 1e-5));
    org.assertj.core.api.Assertions.assertThatThrownBy(() -> ledger.charge(dpSgd(0.1, 5)))
        .isInstanceOf(PrivacyBudgetExceededException.class)
        .hasMessageContaining("no upper bound");
    ledger.charge(new GaussianEvent(5));
    ledger.close();
  }
}
