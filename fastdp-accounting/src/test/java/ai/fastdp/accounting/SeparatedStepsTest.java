/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Hardly any noise: the number of sampled steps decides. */
@Tag("slow")
class SeparatedStepsTest {

  /** Of one step in closed form, and of many by the transform, which shares no code. */
  static List<LossPair> pairs() {
    MixtureLoss removed = new MixtureLoss(0.02, 0.045, MixtureLoss.Direction.REMOVE);
    return List.of(
        removed,
        removed.reversed(),
        new SubstitutionLoss(0.02, 0.045),
        new FixedBatchLoss(0.02, 0.045),
        new GaussianLoss(22));
  }

  private static LossComposition steps(LossPair pair, long count) {
    return new LossComposition(List.of(new LossComposition.Part(pair, count)));
  }

  @ParameterizedTest
  @MethodSource("pairs")
  void epsilon_oneStep_isTheClosedForm(LossPair pair) {
    for (double delta : new double[] {1.9e-2, 1e-3, 1e-6}) {
      EpsilonInterval found = SeparatedSteps.epsilon(steps(pair, 1), Math.log(delta)).orElseThrow();
      EpsilonInterval exact = pair.hockeyStick().epsilon(Math.log(delta));
      assertThat(found.lower()).isLessThanOrEqualTo(exact.upper());
      assertThat(found.upper()).isGreaterThanOrEqualTo(exact.lower());
      assertThat(found.width()).isLessThanOrEqualTo(1e-9 * Math.max(1, exact.upper()));
    }
  }

  @ParameterizedTest
  @MethodSource("pairs")
  void delta_oneStep_isTheClosedForm(LossPair pair) {
    for (double epsilon : new double[] {0.001, 100, 240, 300}) {
      HockeyStick.Point point = pair.hockeyStick().at(epsilon);
      double exact = Math.exp(point.log());
      SeparatedSteps.delta(steps(pair, 1), epsilon)
          .ifPresent(
              found -> {
                assertThat(found.lower()).isLessThanOrEqualTo(exact * (1 + 1e-12));
                assertThat(found.upper()).isGreaterThanOrEqualTo(exact * (1 - 1e-12));
                assertThat(found.estimate()).isBetween(exact * (1 - 1e-6), exact * (1 + 1e-6));
              });
    }
  }

  @Test
  void epsilon_manySteps_isWithinWhatTheTransformBounds() {
    for (LossPair pair : pairs().subList(0, 4)) {
      LossComposition losses = steps(pair, 40);
      for (double delta : new double[] {0.1, 1e-4}) {
        EpsilonInterval found = SeparatedSteps.epsilon(losses, Math.log(delta)).orElseThrow();
        EpsilonInterval wide = TiltedFft.epsilon(losses, Math.log(delta), 1e9);
        assertThat(found.lower()).isLessThanOrEqualTo(wide.upper());
        assertThat(found.upper()).isGreaterThanOrEqualTo(wide.lower());
        assertThat(found.width()).isLessThanOrEqualTo(1e-9 * Math.max(1, found.upper()));
      }
    }
  }

  @Test
  void epsilon_phases_isWithinWhatTheTransformBounds() {
    LossComposition losses =
        new LossComposition(
            List.of(
                new LossComposition.Part(
                    new MixtureLoss(0.05, 0.04, MixtureLoss.Direction.REMOVE), 30),
                new LossComposition.Part(
                    new MixtureLoss(0.001, 0.03, MixtureLoss.Direction.REMOVE), 200),
                new LossComposition.Part(new GaussianLoss(3), 2)));
    EpsilonInterval found = SeparatedSteps.epsilon(losses, Math.log(1e-5)).orElseThrow();
    EpsilonInterval wide = TiltedFft.epsilon(losses, Math.log(1e-5), 1e9);
    assertThat(found.estimate()).isBetween(wide.lower(), wide.upper());
    assertThat(found.width()).isLessThanOrEqualTo(1e-9 * found.upper());
  }

  /** Of 1,000 steps the record is in b with binomial probability: between two plateaus. */
  @Test
  void epsilon_plateaus_areWhereTheBinomialTailIs() {
    FdpAccountant accountant = FdpAccountantTest.after(0.01, 0.01, 1000);
    // scipy: binom.sf(27, 1000, 0.01) = 1.92e-6, binom.sf(28, 1000, 0.01) = 6.4e-7
    double loss = 28 * (5000 + Math.log(0.01)) + 972 * Math.log1p(-0.01);
    EpsilonBound bound = accountant.epsilon(1e-6);
    assertThat(bound.lower().getAsDouble()).isBetween(loss - 8 * 100 * 5.3, loss + 8 * 100 * 5.3);
    assertThat(bound.upper().getAsDouble() - bound.lower().getAsDouble()).isLessThan(1e-6);
    assertThat(accountant.answer(1e-6).method()).isEqualTo(FdpAccountant.Method.SAMPLED_COUNT);
  }

  @Test
  void of_moreNoise_isEmpty() {
    LossPair pair = new MixtureLoss(0.01, 0.2, MixtureLoss.Direction.REMOVE);
    assertThat(SeparatedSteps.epsilon(steps(pair, 10), Math.log(1e-6))).isEmpty();
    assertThat(SeparatedSteps.epsilon(steps(new LaplaceLoss(40), 10), Math.log(1e-6))).isEmpty();
  }
}
