/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.PoissonGaussianPair;
import ai.fastdp.accounting.internal.numeric.NormalTail;
import ai.fastdp.accounting.internal.solve.LossComposition;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Closed forms where their terms cancel: hardly any noise, and so much that hardly any loss. */
class HockeyStickTest {

  private static FdpAccountant one(NeighboringRelation relation, double q, double sigma) {
    FdpAccountant accountant = new FdpAccountant(relation);
    accountant.compose(new PoissonSampledEvent(q, new GaussianEvent(sigma)));
    return accountant;
  }

  /** mpmath, 60 digits, from the tails of both normal laws. */
  @ParameterizedTest
  @CsvSource({
    "1, 1e-9, 4.9999999789999994e17, 0.98213557946878163997",
    "1, 1e-9, 5.0000000329999994e17, 0.00048342414362128509176",
    "1, 1e-7, 50000080000000.01, 6.2209555053963867684e-16",
    "1, 1e-5, 5000099999.999999, 0.15865283424873712758",
    "1e-7, 1e-9, 5.0000000099999994e17, 1.5865525020518361091e-8",
    "1e-7, 1e-7, 50000080000000.01, 6.2208740729981832076e-23",
    "0.5, 1e-5, 5000099999.999999, 0.079325578529033625565",
    "0.999999999, 1e-7, 50000010000000.01, 0.1586552294961884819",
    "1, 1e17, 0, 3.9894228040143267794e-18",
    "0.1, 1e17, 0, 3.9894228040143267794e-19"
  })
  void delta_cancellingTerms_isBetweenTheBounds(double q, double sigma, double epsilon, double d) {
    DeltaBound bound = one(NeighboringRelation.ADD_OR_REMOVE_ONE, q, sigma).delta(epsilon);
    assertThat(bound.lower().getAsDouble()).isLessThanOrEqualTo(d);
    assertThat(bound.upper().getAsDouble()).isGreaterThanOrEqualTo(d);
    // What the arguments' last digits say about delta.
    double width = 1e-12 + 1e-13 / sigma;
    assertThat(bound.upper().getAsDouble() - bound.lower().getAsDouble())
        .isLessThanOrEqualTo(width * d);
  }

  /** The loss is N(mu^2/2, mu^2) and epsilon its quantile, but for about 1 and what q adds. */
  @ParameterizedTest
  @ValueSource(doubles = {1e-5, 1e-7, 1e-9, 1e-11})
  void epsilon_hardlyAnyNoise_isTheQuantileOfTheLoss(double sigma) {
    double delta = 1e-5;
    double mu = 1 / sigma;
    double epsilon = mu * mu / 2 + mu * NormalTail.quantileAbove(delta);
    double about = epsilon - 5 - 1e-6 * mu;
    for (double q : new double[] {1, 0.999999}) {
      EpsilonBound bound = one(NeighboringRelation.ADD_OR_REMOVE_ONE, q, sigma).epsilon(delta);
      assertThat(bound.upper().getAsDouble()).isGreaterThanOrEqualTo(about);
      assertThat(bound.lower().getAsDouble()).isLessThanOrEqualTo(epsilon);
      assertThat(bound.upper().getAsDouble())
          .isLessThanOrEqualTo(bound.lower().getAsDouble() * (1 + 1e-12));
    }
    EpsilonBound gdp = exactGdp(sigma).epsilon(delta);
    assertThat(gdp.lower().getAsDouble()).isLessThanOrEqualTo(epsilon);
    assertThat(gdp.upper().getAsDouble()).isGreaterThanOrEqualTo(about);
  }

  private static GdpAccountant exactGdp(double sigma) {
    GdpAccountant accountant = new GdpAccountant();
    accountant.compose(new GaussianEvent(sigma));
    return accountant;
  }

  /** 1/sigma^2 is not a number; neither is epsilon. */
  @ParameterizedTest
  @ValueSource(doubles = {1, 0.5})
  void epsilon_noNoise_isNotBounded(double q) {
    for (NeighboringRelation relation : NeighboringRelation.values()) {
      for (long steps : new long[] {1, 2, 1000}) {
        FdpAccountant accountant = new FdpAccountant(relation);
        accountant.compose(new PoissonSampledEvent(q, new GaussianEvent(1e-160)), steps);
        assertThat(accountant.epsilon(1e-5).upper().getAsDouble()).isInfinite();
      }
    }
  }

  @Test
  void delta_squareOfMuUnderflows_isStillThere() {
    FdpAccountant accountant = new FdpAccountant();
    accountant.compose(new GaussianEvent(1e170), 2);
    double exact = 5.641895835477563e-171;
    assertThat(accountant.delta(0).lower().getAsDouble())
        .isBetween(exact * (1 - 1e-9), exact * (1 + 1e-15));
    assertThat(accountant.delta(0).upper().getAsDouble())
        .isBetween(exact * (1 - 1e-15), exact * (1 + 1e-9));
  }

  /** The cumulant at small c: 1 + c has lost its digits. */
  @Test
  void delta_hardlyAnyNoise_isNotCappedBelow() {
    FdpAccountant accountant = one(NeighboringRelation.ADD_OR_REMOVE_ONE, 0.5, 1e-9);
    assertThat(accountant.delta(4.9999999999999994e17).upper().getAsDouble())
        .isGreaterThan(0.2499999);
  }

  /** In both steps with probability 1/4, and 35.1 is where 4e-270 lies above. */
  @Test
  void epsilon_hardlyAnyNoiseTinyDelta_isNotBelowTheQuantile() {
    FdpAccountant accountant = DpSgd.fdp(0.5, 1e-9, 2);
    assertThat(accountant.epsilon(1e-270).upper().getAsDouble())
        .isGreaterThan(1e18 + 35.0 * Math.sqrt(2) * 1e9);
  }

  @Test
  void steps_moreThanLongHolds_areNotOne() {
    DominatingPair pair = new PoissonGaussianPair(0.01, 1, PoissonGaussianPair.Direction.REMOVE);
    LossComposition losses =
        new LossComposition(
            List.of(
                new LossComposition.Part(pair, Long.MAX_VALUE),
                new LossComposition.Part(pair, Long.MAX_VALUE),
                new LossComposition.Part(pair, 3)));
    assertThat(losses.steps()).isGreaterThan(1e19);
  }
}
