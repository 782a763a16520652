/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class ValueTypesTest {

  private static void assertRefused(ThrowingCallable call, String message) {
    assertThatThrownBy(call)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(message);
  }

  @Test
  void gaussianEvent_badNoise_isRefused() {
    for (double sigma : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertRefused(
          () -> new GaussianEvent(sigma), "noiseMultiplier must be finite and > 0, got " + sigma);
    }
  }

  @Test
  void poissonSampledEvent_badRate_isRefused() {
    for (double rate : new double[] {-1e-9, 1.0001, Double.NaN}) {
      assertRefused(
          () -> new PoissonSampledEvent(rate, new NoOpEvent()),
          "sampleRate must be in [0, 1], got " + rate);
    }
  }

  @Test
  void selfComposedEvent_negativeCount_isRefused() {
    assertRefused(() -> new SelfComposedEvent(new NoOpEvent(), -1), "count must be >= 0, got -1");
  }

  @Test
  void composedEvent_laterChangeOfTheList_hasNoEffect() {
    List<DpEvent> events = new ArrayList<>(List.of(new NoOpEvent()));
    ComposedEvent composed = new ComposedEvent(events);
    events.clear();
    assertThat(composed).isEqualTo(new ComposedEvent(List.of(new NoOpEvent())));
  }

  @Test
  void privacyBudget_outOfRange_isRefused() {
    assertRefused(
        () -> new PrivacyBudget(Double.NaN, 1e-5), "epsilon must be finite and > 0, got NaN");
    assertRefused(() -> new PrivacyBudget(0, 1e-5), "epsilon must be finite and > 0, got 0.0");
    assertRefused(() -> new PrivacyBudget(1, 0), "delta must be in (0, 1), got 0.0");
    assertRefused(() -> new PrivacyBudget(1, 1), "delta must be in (0, 1), got 1.0");
  }

  @Test
  void epsilonBound_notOrderedOrNegative_isRefused() {
    assertRefused(
        () -> EpsilonBound.interval(2, 1, 3), "lower must be <= estimate, got 2.0 and 1.0");
    assertRefused(() -> EpsilonBound.interval(1, 3, 2), "estimate must be <= upper");
    assertRefused(() -> EpsilonBound.atMost(Double.NaN), "upper must be >= 0, got NaN");
    assertRefused(() -> EpsilonBound.approximately(-0.1), "estimate must be >= 0, got -0.1");
    assertRefused(
        () -> new EpsilonBound(OptionalDouble.of(2), OptionalDouble.empty(), OptionalDouble.of(1)),
        "lower must be <= upper");
  }

  @Test
  void isProvenWithin_onlyAnUpperBoundProves() {
    assertThat(EpsilonBound.atMost(1).isProvenWithin(1)).isTrue();
    assertThat(EpsilonBound.atMost(1.1).isProvenWithin(1)).isFalse();
    assertThat(EpsilonBound.approximately(0.1).isProvenWithin(1)).isFalse();
  }
}
