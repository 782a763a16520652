/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import ai.fastdp.accounting.factorization.Participation.MinSeparation;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class MatrixMechanismTest {

  /** Independent noise, 25 participations: the composition of 25 Gaussian releases. */
  @Test
  void event_independentNoise_costsWhatItsParticipationsCost() {
    DpEvent run =
        new MatrixMechanism(ToeplitzStrategy.independent(1000), new MinSeparation(40, 30), 5)
            .event();
    double composed = epsilon(new SelfComposedEvent(new GaussianEvent(5), 25));
    assertThat(epsilon(run)).isCloseTo(composed, within(1e-9));
  }

  /** jax_privacy's sensitivity of the square root, 100 steps, separation 10, 3 participations. */
  @Test
  void event_dividesByTheSensitivity_andRoundsDown() {
    ToeplitzStrategy root = ToeplitzStrategy.squareRoot(Workload.prefixSum(100), 100);
    double noise = new MatrixMechanism(root, new MinSeparation(10, 3), 2).event().noiseMultiplier();
    assertThat(noise).isCloseTo(2 / 3.725733807049534, within(1e-12));
    assertThat(noise * root.sensitivity(new MinSeparation(10, 3)).value()).isLessThanOrEqualTo(2);
  }

  @Property(tries = 100)
  void costing_neverCostsMore(
      @ForAll @IntRange(min = 1, max = 1_000_000) int noiseInThousandths,
      @ForAll @IntRange(min = 1, max = 12) int bands) {
    Strategy strategy = Strategies.random(12, bands, bands);
    double noise = noiseInThousandths / 1000.0;
    GaussianEvent allowed = new GaussianEvent(noise);
    MatrixMechanism mechanism = MatrixMechanism.costing(strategy, new MinSeparation(3, 4), allowed);
    assertThat(mechanism.event().noiseMultiplier()).isBetween(noise, noise * (1 + 1e-14));
  }

  /** One band and one group is DP-SGD. */
  @Test
  void sampled_oneBandOneGroup_isDpSgd() {
    SampledMatrixMechanism mechanism =
        new SampledMatrixMechanism(ToeplitzStrategy.independent(500), 1, 0.01, 0.8);
    double dpSgd =
        epsilon(new SelfComposedEvent(new PoissonSampledEvent(0.01, new GaussianEvent(0.8)), 500));
    assertThat(epsilon(mechanism.event())).isBetween(dpSgd, dpSgd * (1 + 1e-9));
  }

  @Test
  void sampled_event_hasOneRoundForEachCycle() {
    ToeplitzStrategy strategy = ToeplitzStrategy.of(10, 3, 4);
    SelfComposedEvent event =
        (SelfComposedEvent) new SampledMatrixMechanism(strategy, 4, 0.25, 10).event();
    assertThat(event.count()).isEqualTo(3);
    PoissonSampledEvent step = (PoissonSampledEvent) event.event();
    assertThat(step.sampleRate()).isEqualTo(0.25);
    double noise = ((GaussianEvent) step.event()).noiseMultiplier();
    assertThat(noise).isLessThanOrEqualTo(2).isCloseTo(2, within(1e-13));
  }

  /** Without sampling the event is the composition that the sensitivity gives as well. */
  @Test
  void sampled_everyone_isNotBelowTheUnamplifiedRun() {
    Strategy strategy = BandedStrategy.columnNormalized(Strategies.random(30, 3, 1));
    double unamplified =
        epsilon(new MatrixMechanism(strategy, new Participation.Cyclic(3), 2).event());
    double cyclic = epsilon(new SampledMatrixMechanism(strategy, 3, 1, 2).event());
    assertThat(cyclic).isCloseTo(unamplified, within(1e-9));
  }

  @Test
  void badArguments_areNamed() {
    ToeplitzStrategy strategy = ToeplitzStrategy.of(10, 3, 4);
    assertThatThrownBy(() -> new SampledMatrixMechanism(strategy, 1, 0.1, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "groups must be >= the strategy's 2 bands, got 1; use more groups or fewer bands, or"
                + " MatrixMechanism without amplification");
    assertThatThrownBy(() -> new SampledMatrixMechanism(strategy, 2, Double.NaN, 1))
        .hasMessage("sampleRate must be in [0, 1], got NaN; it is a probability");
    assertThatThrownBy(() -> new SampledMatrixMechanism(strategy, 2, 0.5, 0))
        .hasMessage("noiseMultiplier must be finite and > 0, got 0.0");
    assertThatThrownBy(() -> new MatrixMechanism(strategy, Participation.single(), Double.NaN))
        .hasMessage("noiseMultiplier must be finite and > 0, got NaN");
  }

  private static double epsilon(DpEvent event) {
    FdpAccountant accountant = new FdpAccountant();
    accountant.compose(event);
    return accountant.epsilon(1e-6).upper().orElseThrow();
  }
}
