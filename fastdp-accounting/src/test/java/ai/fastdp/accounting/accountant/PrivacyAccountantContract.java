/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.NoOpEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.QuantileQueryEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every accountant promises, whatever its method. */
abstract class PrivacyAccountantContract {

  /** An accountant that has seen nothing. */
  abstract PrivacyAccountant create();

  /** The number that must be monotone: the upper bound, or the estimate where there is none. */
  static double value(PrivacyAccountant accountant, double delta) {
    EpsilonBound bound = accountant.epsilon(delta);
    return bound.upper().isPresent() ? bound.upper().getAsDouble() : bound.estimate().getAsDouble();
  }

  private double value(double q, double sigma, long steps, double delta) {
    PrivacyAccountant accountant = create();
    accountant.compose(dpSgd(q, sigma), steps);
    return value(accountant, delta);
  }

  static DpEvent dpSgd(double q, double sigma) {
    return new PoissonSampledEvent(q, new GaussianEvent(sigma));
  }

  @Test
  void epsilon_nothingComposed_isZero() {
    assertThat(create().epsilon(1e-6)).isEqualTo(EpsilonBound.zero());
    PrivacyAccountant accountant = create();
    accountant.compose(new NoOpEvent(), 7);
    accountant.compose(dpSgd(0.1, 1), 0);
    accountant.compose(new PoissonSampledEvent(0, new GaussianEvent(1)), 5);
    accountant.compose(new PoissonSampledEvent(0.5, new NoOpEvent()), 5);
    assertThat(accountant.epsilon(1e-6)).isEqualTo(EpsilonBound.zero());
    assertThat(accountant.delta(0)).isEqualTo(DeltaBound.zero());
    assertThat(accountant.quickUpper(1e-6)).hasValue(0);
  }

  @Test
  void delta_ofEpsilon_isTheInverse() {
    PrivacyAccountant accountant = create();
    accountant.compose(dpSgd(0.01, 1.1), 2000);
    for (double delta : new double[] {1e-3, 1e-6, 1e-12}) {
      DeltaBound bound = accountant.delta(value(accountant, delta));
      double back = bound.upper().orElseGet(() -> bound.estimate().getAsDouble());
      assertThat(back).isBetween(delta * (1 - 1e-4), delta * (1 + 1e-4));
    }
  }

  @Test
  void quickUpper_anyRun_isNotFarAboveTheUpperBound() {
    PrivacyAccountant accountant = create();
    accountant.compose(dpSgd(0.01, 1.1), 2000);
    EpsilonBound bound = accountant.epsilon(1e-6);
    assertThat(accountant.quickUpper(1e-6).isPresent()).isEqualTo(bound.upper().isPresent());
    bound
        .upper()
        .ifPresent(
            upper ->
                assertThat(accountant.quickUpper(1e-6).getAsDouble())
                    .isBetween(upper * (1 - 1e-6), upper * (1 + 1e-4)));
  }

  @ParameterizedTest
  @ValueSource(doubles = {-1, Double.NaN, Double.POSITIVE_INFINITY})
  void delta_epsilonOutOfRange_throws(double epsilon) {
    assertThatThrownBy(() -> create().delta(epsilon))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("epsilon must be finite and >= 0, got " + epsilon);
  }

  @Test
  void epsilon_moreSteps_isNotSmaller() {
    double last = 0;
    for (long steps : new long[] {1, 2, 3, 10, 100, 101, 1000, 30_000, 1_000_000}) {
      double now = value(0.01, 1.1, steps, 1e-6);
      assertThat(now).isGreaterThanOrEqualTo(last * (1 - 1e-9));
      last = now;
    }
  }

  @Test
  void epsilon_higherSampleRate_isNotSmaller() {
    double last = 0;
    for (double q : new double[] {1e-5, 1e-4, 1e-3, 0.01, 0.0101, 0.1, 0.5, 0.9}) {
      double now = value(q, 1.1, 2000, 1e-6);
      assertThat(now).isGreaterThanOrEqualTo(last * (1 - 1e-9));
      last = now;
    }
  }

  @Test
  void epsilon_moreNoise_isNotLarger() {
    double last = Double.POSITIVE_INFINITY;
    for (double sigma : new double[] {0.3, 0.5, 0.8, 1, 1.0001, 2, 5, 20, 100, 1000}) {
      double now = value(0.01, sigma, 2000, 1e-6);
      assertThat(now).isLessThanOrEqualTo(last * (1 + 1e-9));
      last = now;
    }
  }

  @Test
  void epsilon_smallerDelta_isNotSmaller() {
    PrivacyAccountant accountant = create();
    accountant.compose(dpSgd(0.01, 1.1), 2000);
    double last = 0;
    for (double delta : new double[] {0.5, 0.1, 1e-2, 1e-5, 1e-8, 1e-12, 1e-30, 1e-100}) {
      double now = value(accountant, delta);
      assertThat(now).isGreaterThanOrEqualTo(last * (1 - 1e-9));
      last = now;
    }
  }

  @Test
  void compose_count_equalsThatManySingles() {
    PrivacyAccountant once = create();
    once.compose(dpSgd(0.02, 0.9), 137);
    PrivacyAccountant singles = create();
    for (int i = 0; i < 137; i++) {
      singles.compose(dpSgd(0.02, 0.9));
    }
    PrivacyAccountant nested = create();
    nested.compose(
        new ComposedEvent(
            List.of(
                new SelfComposedEvent(new SelfComposedEvent(dpSgd(0.02, 0.9), 17), 8),
                dpSgd(0.02, 0.9),
                new NoOpEvent())));
    assertThat(singles.epsilon(1e-6)).isEqualTo(once.epsilon(1e-6));
    assertThat(nested.epsilon(1e-6)).isEqualTo(once.epsilon(1e-6));
  }

  @Test
  void compose_otherOrderOfPhases_givesTheSame() {
    PrivacyAccountant first = create();
    first.compose(dpSgd(0.02, 0.9), 100);
    first.compose(dpSgd(0.05, 2), 300);
    PrivacyAccountant second = create();
    second.compose(dpSgd(0.05, 2), 300);
    second.compose(dpSgd(0.02, 0.9), 100);
    assertThat(value(second, 1e-6))
        .isCloseTo(value(first, 1e-6), org.assertj.core.data.Offset.offset(1e-9));
    assertThat(value(first, 1e-6)).isGreaterThan(value(0.05, 2, 300, 1e-6));
  }

  @Test
  void copy_isIndependent() {
    PrivacyAccountant accountant = create();
    accountant.compose(dpSgd(0.02, 0.9), 100);
    EpsilonBound before = accountant.epsilon(1e-6);
    PrivacyAccountant copy = accountant.copy();
    assertThat(copy.relation()).isEqualTo(accountant.relation());
    assertThat(copy.epsilon(1e-6)).isEqualTo(before);
    copy.compose(dpSgd(0.5, 0.9), 100);
    assertThat(accountant.epsilon(1e-6)).isEqualTo(before);
    assertThat(value(copy, 1e-6)).isGreaterThan(value(accountant, 1e-6));
  }

  @Test
  void compose_unsupportedEvent_throwsAndChangesNothing() {
    PrivacyAccountant accountant = create();
    accountant.compose(dpSgd(0.02, 0.9), 100);
    EpsilonBound before = accountant.epsilon(1e-6);
    DpEvent unsupported =
        new ComposedEvent(
            List.of(
                new GaussianEvent(1),
                new PoissonSampledEvent(
                    0.5, new ComposedEvent(List.of(dpSgd(0.1, 1), new GaussianEvent(1))))));
    assertThat(accountant.supports(unsupported)).isFalse();
    assertThat(accountant.supports(dpSgd(0.1, 1))).isTrue();
    assertThatThrownBy(() -> accountant.compose(unsupported))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("event");
    assertThat(accountant.epsilon(1e-6)).isEqualTo(before);
  }

  @Test
  void compose_countOverflow_throwsAndChangesNothing() {
    PrivacyAccountant accountant = create();
    accountant.compose(dpSgd(0.02, 0.9), 100);
    EpsilonBound before = accountant.epsilon(1e-6);
    DpEvent huge =
        new ComposedEvent(
            List.of(new GaussianEvent(3), new SelfComposedEvent(dpSgd(0.02, 0.9), Long.MAX_VALUE)));
    assertThatThrownBy(() -> accountant.compose(huge)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> accountant.compose(dpSgd(0.02, 0.9), -1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("count must be >= 0, got -1");
    assertThat(accountant.epsilon(1e-6)).isEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, 1, 2, Double.NaN, Double.POSITIVE_INFINITY})
  void epsilon_deltaOutOfRange_throws(double delta) {
    assertThatThrownBy(() -> create().epsilon(delta))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("delta must be in (0, 1), got " + delta);
  }

  @Test
  void compose_poissonOfPoisson_multipliesRates() {
    PrivacyAccountant nested = create();
    nested.compose(new PoissonSampledEvent(0.25, dpSgd(0.5, 1)), 10);
    assertThat(value(nested, 1e-6)).isEqualTo(value(0.125, 1, 10, 1e-6));
  }

  @Test
  void compose_gaussiansOfOneSample_combineToOne() {
    PrivacyAccountant combined = create();
    combined.compose(
        new PoissonSampledEvent(
            0.125,
            new ComposedEvent(
                List.of(new SelfComposedEvent(new GaussianEvent(4), 2), new GaussianEvent(2)))),
        10);
    // 2/16 + 1/4 = 3/8
    assertThat(value(combined, 1e-6))
        .isCloseTo(
            value(0.125, Math.sqrt(8 / 3.0), 10, 1e-6),
            org.assertj.core.data.Percentage.withPercentage(1e-9));
  }

  @Test
  void compose_quantileQuery_isAGaussianOfTwiceTheNoise() {
    PrivacyAccountant query = create();
    query.compose(new PoissonSampledEvent(0.125, new QuantileQueryEvent(3)), 10);
    assertThat(value(query, 1e-6))
        .isCloseTo(
            value(0.125, 6, 10, 1e-6), org.assertj.core.data.Percentage.withPercentage(1e-9));
    PrivacyAccountant alone = create();
    alone.compose(new QuantileQueryEvent(3));
    assertThat(value(alone, 1e-6)).isEqualTo(value(1, 6, 1, 1e-6));
  }
}
