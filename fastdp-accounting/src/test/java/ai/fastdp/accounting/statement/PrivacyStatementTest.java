/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.statement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DiscreteGaussianEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.QuantileQueryEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.ledger.InMemoryLedger;
import ai.fastdp.accounting.statement.ReleaseSummary.Noise;
import ai.fastdp.accounting.statement.ReleaseSummary.Sampling;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PrivacyStatementTest {
  private static final NoiseOrigin SECURE =
      new NoiseOrigin(NoiseOrigin.Kind.SECURE_STREAM, "AES-256 in counter mode");

  private static PrivacyStatement of(Map<DpEvent, Long> events, NoiseOrigin noise) {
    return PrivacyStatement.of(
        new RdpAccountant(), "patient", events, 1e-6, "norm 0.5", noise, "sha256:12");
  }

  /** Noise, sample rate and query change in the run. */
  private static Map<DpEvent, Long> changing() {
    Map<DpEvent, Long> events = new LinkedHashMap<>();
    events.put(new PoissonSampledEvent(0.01, new GaussianEvent(1.5)), 300L);
    events.put(
        new PoissonSampledEvent(
            0.02, new ComposedEvent(List.of(new GaussianEvent(1.25), new QuantileQueryEvent(4)))),
        200L);
    events.put(new PoissonSampledEvent(1, new DiscreteGaussianEvent(30)), 2L);
    return events;
  }

  @Test
  void of_changingRun_listsEveryKindOfStepAndCostsTheirSum() {
    PrivacyStatement statement = of(changing(), SECURE);
    assertThat(statement.releases())
        .containsExactly(
            new ReleaseSummary(300, Sampling.POISSON, 0.01, List.of(new Noise("Gaussian", 1.5))),
            new ReleaseSummary(
                200,
                Sampling.POISSON,
                0.02,
                List.of(new Noise("Gaussian", 1.25), new Noise("Gaussian (quantile query)", 8.0))),
            new ReleaseSummary(2, Sampling.NONE, 1, List.of(new Noise("discrete Gaussian", 30))));
    assertThat(statement.steps()).isEqualTo(502);
    RdpAccountant amplified = new RdpAccountant();
    changing().forEach(amplified::compose);
    assertThat(statement.epsilon()).isEqualTo(amplified.epsilon(1e-6));
    // Without sampling: rho adds up, half of each inverse square.
    RdpAccountant unsampled = new RdpAccountant();
    unsampled.compose(new GaussianEvent(1.5), 300);
    unsampled.compose(new GaussianEvent(1.25), 200);
    unsampled.compose(new GaussianEvent(8), 200);
    unsampled.compose(new GaussianEvent(30), 2);
    assertThat(statement.unamplifiedEpsilon().upper().getAsDouble())
        .isCloseTo(
            unsampled.epsilon(1e-6).upper().getAsDouble(),
            org.assertj.core.data.Percentage.withPercentage(1e-6));
    assertThat(statement.toJson())
        .contains(
            "\"private\": true",
            "\"steps\": 502",
            "{\"steps\": 300, \"sampling\": \"independent Poisson sampling at every step\"",
            "{\"mechanism\": \"Gaussian (quantile query)\", \"noiseMultiplier\": 8.0}",
            "\"kind\": \"SECURE_STREAM\"");
    assertThat(statement.toProse())
        .contains(
            "patient-level",
            "cryptographically secure stream (AES-256",
            "300 steps (independent Poisson sampling at every step, rate 0.01) with Gaussian noise"
                + " of 1.5",
            "2 steps (every step uses all data) with discrete Gaussian noise of 30.0",
            "clipped to norm 0.5");
  }

  @Test
  void of_testSeed_claimsNothing() {
    PrivacyStatement statement =
        of(changing(), new NoiseOrigin(NoiseOrigin.Kind.TEST_SEED, "java.util.Random"));
    assertThat(statement.epsilon().upper().getAsDouble()).isPositive().isInfinite();
    assertThat(statement.unamplifiedEpsilon().upper().getAsDouble()).isPositive().isInfinite();
    assertThat(statement.toProse())
        .startsWith("The training is not differentially private")
        .contains("fixed test seed")
        .doesNotContain("epsilon");
    assertThat(statement.toJson())
        .contains("\"private\": false", "\"upper\": \"Infinity\"", "TEST_SEED");
    assertThatThrownBy(
            () ->
                new PrivacyStatement(
                    "record",
                    NeighboringRelation.ADD_OR_REMOVE_ONE,
                    List.of(),
                    "1",
                    statement.noise(),
                    1e-6,
                    "rdp",
                    EpsilonBound.zero(),
                    EpsilonBound.zero(),
                    "x"))
        .hasMessageContaining("epsilon must be infinite with noise from a test seed");
  }

  @Test
  void of_deviceGenerator_saysThatItIsNotSecure() {
    PrivacyStatement statement =
        of(changing(), new NoiseOrigin(NoiseOrigin.Kind.DEVICE_GENERATOR, "64-bit seeds"));
    assertThat(statement.toProse())
        .contains("epsilon <= ", "not cryptographically secure (64-bit seeds)");
    assertThat(statement.epsilon().upper().getAsDouble()).isFinite();
  }

  @Test
  void of_fixedBatches_saysSoAndTellsTheRelation() {
    PrivacyStatement statement =
        PrivacyStatement.of(
            new FdpAccountant(NeighboringRelation.REPLACE_ONE),
            "record",
            Map.of(new SampledWithoutReplacementEvent(100, 10_000, new GaussianEvent(2)), 50L),
            1e-5,
            "1.0",
            SECURE,
            "x");
    assertThat(statement.toProse())
        .contains("50 steps (batches of fixed size", "rate 0.01", "REPLACE_ONE");
    assertThat(statement.epsilon().upper().getAsDouble())
        .isLessThan(statement.unamplifiedEpsilon().upper().getAsDouble() / 5);
  }

  @Test
  void of_nothingOrManyKindsOfSteps_isShortInProseAndWholeInJson() {
    PrivacyStatement none = of(Map.of(), SECURE);
    assertThat(none.toProse()).contains("epsilon <= 0 ", "Released: nothing.");
    Map<DpEvent, Long> many = new LinkedHashMap<>();
    for (int i = 1; i <= 9; i++) {
      many.put(new PoissonSampledEvent(0.1, new GaussianEvent(i)), (long) i);
    }
    PrivacyStatement statement = of(many, SECURE);
    assertThat(statement.toProse()).contains("and 5 more kinds of steps, 45 steps in all");
    assertThat(statement.toJson()).contains("\"noiseMultiplier\": 9.0");
  }

  @Test
  void charged_anyLedger_countsEvents() {
    DpEvent step = new PoissonSampledEvent(0.1, new GaussianEvent(2));
    try (InMemoryLedger ledger =
        new InMemoryLedger(new RdpAccountant(), new PrivacyBudget(10, 1e-6))) {
      ledger.charge(step);
      ledger.charge(new GaussianEvent(9));
      ledger.charge(step);
      assertThat(ledger.charged())
          .containsExactly(Map.entry(step, 2L), Map.entry(new GaussianEvent(9), 1L));
    }
  }

  @Test
  void of_textsWithQuotes_areRefused() {
    assertThatThrownBy(() -> of(Map.of(), new NoiseOrigin(NoiseOrigin.Kind.SECURE_STREAM, "a\"b")))
        .hasMessageContaining("noise must not have quotes");
  }

  @Test
  void statement_saysWhatCounts() {
    PrivacyStatement statement =
        PrivacyStatement.ofPlannedRun(
            new RdpAccountant(), "patient", DpSgd.step(0.01, 1.1), 1000, 1e-6, "sha256:12");
    assertThat(statement.toProse())
        .contains("patient-level", "epsilon <= ", "ADD_OR_REMOVE_ONE", "Poisson", "sha256:12");
    assertThat(statement.toJson())
        .contains("\"lower\": null", "\"steps\": 1000", "\"unamplifiedEpsilon\": {");
    assertThat(statement.epsilon().upper().getAsDouble())
        .isLessThan(statement.unamplifiedEpsilon().upper().getAsDouble());
    assertThatThrownBy(
            () ->
                PrivacyStatement.ofPlannedRun(
                    new RdpAccountant(), "a\"b", DpSgd.step(0.01, 1.1), 1000, 1e-6, "x"))
        .hasMessageContaining("unit");
  }
}
