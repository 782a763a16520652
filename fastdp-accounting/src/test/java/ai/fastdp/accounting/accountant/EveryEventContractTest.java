/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.NormalLogTail;
import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DiscreteGaussianEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.QuantileQueryEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import ai.fastdp.accounting.internal.numeric.NormalTail;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;
import java.util.function.Function;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds for every accountant, every relation and every kind of event. */
@Tag("slow")
class EveryEventContractTest {

  private static final double DELTA = 1e-6;
  private static final double ROUNDING = 1e-9;

  /** A kind of event: a function of the share of the records and of the noise multiplier. */
  private enum Kind {
    GAUSSIAN,
    DISCRETE_GAUSSIAN,
    LAPLACE,
    QUANTILE,
    POISSON,
    POISSON_DISCRETE,
    POISSON_WITH_QUANTILE,
    POISSON_OF_POISSON,
    FIXED_BATCH;

    boolean isSampled() {
      return switch (this) {
        case GAUSSIAN, DISCRETE_GAUSSIAN, LAPLACE, QUANTILE -> false;
        case POISSON, POISSON_DISCRETE, POISSON_WITH_QUANTILE, POISSON_OF_POISSON, FIXED_BATCH ->
            true;
      };
    }

    DpEvent event(double q, double sigma) {
      GaussianEvent gaussian = new GaussianEvent(sigma);
      return switch (this) {
        case GAUSSIAN -> gaussian;
        case DISCRETE_GAUSSIAN -> new DiscreteGaussianEvent(sigma);
        case LAPLACE -> new LaplaceEvent(sigma);
        case QUANTILE -> new QuantileQueryEvent(sigma);
        case POISSON -> new PoissonSampledEvent(q, gaussian);
        case POISSON_DISCRETE -> new PoissonSampledEvent(q, new DiscreteGaussianEvent(sigma));
        case POISSON_WITH_QUANTILE ->
            new PoissonSampledEvent(
                q, new ComposedEvent(List.of(gaussian, new QuantileQueryEvent(5 * sigma))));
        case POISSON_OF_POISSON ->
            new PoissonSampledEvent(q, new PoissonSampledEvent(0.5, gaussian));
        case FIXED_BATCH ->
            new SampledWithoutReplacementEvent((long) (q * 1_000_000), 1_000_000, gaussian);
      };
    }
  }

  /** One way to account for one kind of event. */
  private record Case(
      String name,
      Function<NeighboringRelation, PrivacyAccountant> make,
      NeighboringRelation relation,
      Kind kind) {

    PrivacyAccountant create() {
      return make.apply(relation);
    }

    PrivacyAccountant after(double q, double sigma, long steps) {
      PrivacyAccountant accountant = create();
      accountant.compose(kind.event(q, sigma), steps);
      return accountant;
    }

    double epsilon(double q, double sigma, long steps, double delta) {
      return DpSgd.value(after(q, sigma, steps), delta);
    }

    boolean isSupported() {
      return create().supports(kind.event(0.02, 1.5));
    }

    @Override
    public String toString() {
      return name + ", " + relation + ", " + kind;
    }
  }

  private static List<Case> all() {
    List<Case> cases = new ArrayList<>();
    for (NeighboringRelation relation : NeighboringRelation.values()) {
      for (Kind kind : Kind.values()) {
        cases.add(new Case("rdp", RdpAccountant::new, relation, kind));
        cases.add(new Case("gdp", GdpAccountant::new, relation, kind));
        cases.add(new Case("fdp", FdpAccountant::new, relation, kind));
      }
    }
    return cases;
  }

  static List<Case> supported() {
    return all().stream().filter(Case::isSupported).toList();
  }

  static List<Case> refused() {
    return all().stream().filter(one -> !one.isSupported()).toList();
  }

  static List<Case> sampled() {
    return supported().stream().filter(one -> one.kind().isSampled()).toList();
  }

  static List<Case> unsampledOrPlainlySampled() {
    return supported().stream()
        .filter(
            one ->
                one.kind() == Kind.GAUSSIAN
                    || one.kind() == Kind.POISSON
                    || one.kind() == Kind.FIXED_BATCH)
        .toList();
  }

  private static void assertRises(DoubleFunction<Double> f, double... arguments) {
    double last = 0;
    for (double argument : arguments) {
      double now = f.apply(argument);
      assertThat(now).as("at %s", argument).isGreaterThanOrEqualTo(last * (1 - ROUNDING));
      last = now;
    }
    assertThat(last).isGreaterThan(f.apply(arguments[0]));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("supported")
  void epsilon_rises_withSteps(Case one) {
    assertRises(n -> one.epsilon(0.02, 1.5, (long) n, DELTA), 1, 2, 3, 30, 1000, 1001, 100_000);
  }

  /**
   * The central limit theorem's estimate and the bound for samples with discrete noise, which goes
   * in chords between integer orders, are not continuous with the value at q = 1.
   */
  @ParameterizedTest(name = "{0}")
  @MethodSource("sampled")
  void epsilon_rises_withTheSampleRate(Case one) {
    boolean jumps = one.name().equals("gdp") || one.kind() == Kind.POISSON_DISCRETE;
    double end = jumps ? 0.99 : 1;
    assertRises(q -> one.epsilon(q, 1.5, 1000, DELTA), 1e-4, 1e-3, 0.02, 0.0201, 0.3, 0.9, end);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("supported")
  void epsilon_rises_withLessNoise(Case one) {
    assertRises(
        inverse -> one.epsilon(0.02, 1 / inverse, 1000, DELTA), 1e-3, 0.02, 0.5, 1, 1.0001, 2);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("supported")
  void epsilon_rises_withSmallerDelta(Case one) {
    PrivacyAccountant accountant = one.after(0.02, 1.5, 1000);
    assertRises(inverse -> DpSgd.value(accountant, 1 / inverse), 2, 10, 1e3, 1e6, 1e10, 1e30);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("supported")
  void compose_count_equalsThatManySingles(Case one) {
    DpEvent event = one.kind().event(0.02, 1.5);
    PrivacyAccountant singles = one.create();
    for (int i = 0; i < 41; i++) {
      singles.compose(event);
    }
    PrivacyAccountant nested = one.create();
    nested.compose(new ComposedEvent(List.of(new SelfComposedEvent(event, 40), event)));
    EpsilonBound together = one.after(0.02, 1.5, 41).epsilon(DELTA);
    assertThat(singles.epsilon(DELTA)).isEqualTo(together);
    assertThat(nested.epsilon(DELTA)).isEqualTo(together);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("unsampledOrPlainlySampled")
  void epsilon_allRecordsTakePart_isThatOfTheAnalyticGaussian(Case one) {
    double sensitivity = one.relation() == NeighboringRelation.REPLACE_ONE ? 2 : 1;
    for (double sigma : new double[] {0.7, 20}) {
      for (long steps : new long[] {1, 400}) {
        double mu = sensitivity * Math.sqrt((double) steps) / sigma;
        EpsilonBound bound = one.after(1, sigma, steps).epsilon(DELTA);
        // Balle and Wang 2018, theorem 8
        double truth = balleWang(mu, DELTA);
        assertThat(bound.upper().getAsDouble()).isGreaterThanOrEqualTo(truth * (1 - 1e-12));
        if (one.name().equals("rdp")) {
          assertThat(bound.upper().getAsDouble()).isLessThan(truth * 1.5);
        } else {
          assertThat(bound.upper().getAsDouble()).isLessThan(truth * (1 + 1e-9));
          assertThat(bound.lower().getAsDouble())
              .isBetween(truth * (1 - 1e-9), truth * (1 + 1e-12));
        }
      }
    }
  }

  /** Bisection of delta = P(X &gt; e/mu - mu/2) - e^e P(X &gt; e/mu + mu/2). */
  private static double balleWang(double mu, double delta) {
    double low = 0;
    double high = 10 * mu * (mu + 10);
    for (int i = 0; i < 200; i++) {
      double epsilon = (low + high) / 2;
      double rest = epsilon + NormalLogTail.above(epsilon / mu + mu / 2);
      double found = NormalTail.above(epsilon / mu - mu / 2) - Math.exp(rest);
      if (found > delta) {
        low = epsilon;
      } else {
        high = epsilon;
      }
    }
    return high;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("refused")
  void compose_refusedEvent_throwsAndChangesNothing(Case one) {
    PrivacyAccountant accountant = one.create();
    accountant.compose(new GaussianEvent(3), 5);
    EpsilonBound before = accountant.epsilon(DELTA);
    DpEvent event = one.kind().event(0.02, 1.5);
    for (DpEvent refused :
        List.of(event, new ComposedEvent(List.of(new GaussianEvent(2), event)))) {
      assertThat(accountant.supports(refused)).isFalse();
      assertThatThrownBy(() -> accountant.compose(refused, 2))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("event must have a rule under " + one.relation());
      assertThat(accountant.epsilon(DELTA)).isEqualTo(before);
    }
  }

  /** The table of docs/accounting.md. */
  @org.junit.jupiter.api.Test
  void refusals_areTheDocumentedOnes() {
    assertThat(refused().stream().map(Case::toString))
        .containsExactlyInAnyOrder(
            "gdp, ADD_OR_REMOVE_ONE, DISCRETE_GAUSSIAN",
            "fdp, ADD_OR_REMOVE_ONE, DISCRETE_GAUSSIAN",
            "gdp, ADD_OR_REMOVE_ONE, POISSON_DISCRETE",
            "fdp, ADD_OR_REMOVE_ONE, POISSON_DISCRETE",
            "gdp, REPLACE_SPECIAL, DISCRETE_GAUSSIAN",
            "fdp, REPLACE_SPECIAL, DISCRETE_GAUSSIAN",
            "gdp, REPLACE_SPECIAL, POISSON_DISCRETE",
            "fdp, REPLACE_SPECIAL, POISSON_DISCRETE",
            "gdp, REPLACE_ONE, DISCRETE_GAUSSIAN",
            "fdp, REPLACE_ONE, DISCRETE_GAUSSIAN",
            "gdp, REPLACE_ONE, POISSON_DISCRETE",
            "fdp, REPLACE_ONE, POISSON_DISCRETE",
            "rdp, REPLACE_ONE, POISSON_DISCRETE",
            "gdp, ADD_OR_REMOVE_ONE, LAPLACE",
            "rdp, ADD_OR_REMOVE_ONE, FIXED_BATCH",
            "gdp, ADD_OR_REMOVE_ONE, FIXED_BATCH",
            "fdp, ADD_OR_REMOVE_ONE, FIXED_BATCH",
            "gdp, REPLACE_SPECIAL, LAPLACE",
            "rdp, REPLACE_SPECIAL, FIXED_BATCH",
            "gdp, REPLACE_SPECIAL, FIXED_BATCH",
            "fdp, REPLACE_SPECIAL, FIXED_BATCH",
            "gdp, REPLACE_ONE, LAPLACE",
            "gdp, REPLACE_ONE, POISSON",
            "gdp, REPLACE_ONE, POISSON_WITH_QUANTILE",
            "gdp, REPLACE_ONE, POISSON_OF_POISSON");
  }
}
