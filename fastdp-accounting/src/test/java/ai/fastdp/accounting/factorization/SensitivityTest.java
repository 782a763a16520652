/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.fastdp.accounting.factorization.Participation.Cyclic;
import ai.fastdp.accounting.factorization.Participation.MinSeparation;
import java.math.BigDecimal;
import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("slow")
@net.jqwik.api.Tag("slow") // for properties
class SensitivityTest {

  private static final double ROUNDING = 1e-12;

  /** jax_privacy: {@code toeplitz.minsep_sensitivity_squared(c, sep, n=100, ...) ** 0.5}. */
  @Test
  void squareRoot_minSeparation_equalsJaxPrivacy() {
    ToeplitzStrategy c = ToeplitzStrategy.squareRoot(Workload.prefixSum(100), 100);
    check(c.sensitivity(new MinSeparation(10, 3)), 3.725733807049534, true);
    check(c.sensitivity(new MinSeparation(10, 10)), 8.734082438528125, true);
    check(c.sensitivity(new MinSeparation(1, 5)), 6.848159995012386, true);
    check(c.sensitivity(new MinSeparation(25, 100)), 4.03345395727734, true);
    check(c.sensitivity(new Cyclic(10)), 8.734082438528125, true);
  }

  /** jax_privacy: {@code get_sensitivity_banded}, {@code single_participation_sensitivity}. */
  @Test
  void cosines_bandsWithinSeparation_equalsJaxPrivacy() {
    BandedStrategy c = Strategies.cosines();
    check(c.sensitivity(Participation.single()), 3.9, true);
    check(c.sensitivity(new MinSeparation(6, 3)), 6.267455823321141, true);
    check(c.sensitivity(new MinSeparation(8, 2)), 5.239986577493705, true);
  }

  /** jax_privacy's {@code get_min_sep_sensitivity_upper_bound} and {@code fixed_epoch...}. */
  @Test
  void cosines_moreBands_isNotAboveJaxPrivacysUpperBound() {
    BandedStrategy c = Strategies.cosines();
    assertThat(c.sensitivity(new MinSeparation(2, 4)).value())
        .isLessThan(9.76365574181742 * (1 + ROUNDING));
    assertThat(c.sensitivity(new MinSeparation(2, 4)).exact()).isFalse();
    assertThat(c.sensitivity(new MinSeparation(4, 5)).value())
        .isLessThan(9.046823321485112 * (1 + ROUNDING));
    assertThat(c.sensitivity(new MinSeparation(4, 5)).exact()).isTrue();
    check(c.sensitivity(new Cyclic(4)), 8.872216316178262, true);
    check(c.sensitivity(new Cyclic(2)), 14.362263865688043, false);
  }

  @Property(tries = 300)
  void banded_minSeparation_isNeverBelowBruteForce(
      @ForAll @IntRange(min = 1, max = 9) int steps,
      @ForAll @IntRange(min = 1, max = 9) int bands,
      @ForAll @IntRange(min = 1, max = 5) int separation,
      @ForAll @IntRange(min = 1, max = 5) int participations,
      @ForAll int seed) {
    BandedStrategy c = Strategies.random(steps, Math.min(bands, steps), seed);
    compare(c, new MinSeparation(separation, participations));
  }

  @Property(tries = 100)
  void banded_cyclic_isNeverBelowBruteForce(
      @ForAll @IntRange(min = 1, max = 9) int steps,
      @ForAll @IntRange(min = 1, max = 9) int bands,
      @ForAll @IntRange(min = 1, max = 12) int period,
      @ForAll int seed) {
    compare(Strategies.random(steps, Math.min(bands, steps), seed), new Cyclic(period));
  }

  @Property(tries = 200)
  void toeplitz_decreasing_isExact(
      @ForAll @IntRange(min = 1, max = 10) int steps,
      @ForAll @IntRange(min = 1, max = 10) int bands,
      @ForAll @IntRange(min = 1, max = 5) int separation,
      @ForAll @IntRange(min = 1, max = 5) int participations,
      @ForAll int seed) {
    double[] c =
        Strategies.column(
            Strategies.random(steps, Math.min(bands, steps), seed), 0, Math.min(bands, steps));
    double[] decreasing = Arrays.stream(c).map(x -> -Math.abs(x)).sorted().map(x -> -x).toArray();
    ToeplitzStrategy strategy = ToeplitzStrategy.of(steps, decreasing);
    Participation pattern = new MinSeparation(separation, participations);
    assertThat(strategy.sensitivity(pattern).exact()).isTrue();
    compare(strategy, pattern);
    compare(strategy, new Cyclic(separation));
    compare(ToeplitzStrategy.of(steps, c), pattern);
  }

  @Test
  void exactCases_areReportedExact() {
    BandedStrategy c = Strategies.random(12, 6, 5);
    assertThat(c.sensitivity(new MinSeparation(3, 4)).exact()).isTrue();
    assertThat(c.sensitivity(new MinSeparation(2, 4)).exact()).isFalse();
    assertThat(c.sensitivity(new MinSeparation(1, 2)).exact()).isTrue();
  }

  /** Equal columns of norm 1 and disjoint supports: sqrt(k). */
  @Test
  void independentNoise_isTheRootOfTheParticipations() {
    ToeplitzStrategy c = ToeplitzStrategy.independent(1000);
    check(c.sensitivity(new MinSeparation(10, 49)), 7, true);
    check(c.sensitivity(new MinSeparation(10, 1000)), 10, true);
    check(c.sensitivity(new MinSeparation(Integer.MAX_VALUE, 7)), 1, true);
    check(c.sensitivity(new Cyclic(Integer.MAX_VALUE)), 1, true);
  }

  /** 1/3 + 1/3 + ... rounds both ways; the sensitivity must not be rounded down. */
  @Property(tries = 200)
  void value_isNotRoundedDown(@ForAll @IntRange(min = 1, max = 400) int bands, @ForAll int seed) {
    double[] c = Strategies.column(Strategies.random(400, bands, seed), 0, bands);
    BigDecimal sum = BigDecimal.ZERO;
    for (double x : c) {
      sum = sum.add(new BigDecimal(x).pow(2));
    }
    double value = ToeplitzStrategy.of(400, c).sensitivity(Participation.single()).value();
    assertThat(new BigDecimal(value).pow(2)).isGreaterThanOrEqualTo(sum);
  }

  /** Its square is zero in float64: the effective noise would be overstated. */
  @Test
  void strategyTooSmall_isRefused() {
    ToeplitzStrategy tiny = ToeplitzStrategy.of(3, 1e-170, 1e-171);
    assertThatThrownBy(() -> tiny.sensitivity(Participation.single()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "strategy must have a column norm >= 1e-125, got 0.0; scale C and the noise up"
                + " together");
    ToeplitzStrategy small = ToeplitzStrategy.of(3, 1e-120, -1e-170);
    assertThat(small.sensitivity(Participation.single()).value())
        .isBetween(1e-120, 1e-120 * (1 + ROUNDING));
  }

  @Test
  void badArguments_areNamed() {
    assertThatThrownBy(() -> new MinSeparation(0, 1)).hasMessage("separation must be >= 1, got 0");
    assertThatThrownBy(() -> new MinSeparation(1, 0))
        .hasMessage("maxParticipations must be >= 1, got 0");
    assertThatThrownBy(() -> new Cyclic(-1)).hasMessage("period must be >= 1, got -1");
    assertThatThrownBy(() -> new Sensitivity(Double.NaN, true))
        .hasMessage("value must be finite and > 0, got NaN");
  }

  private static void compare(Strategy strategy, Participation participation) {
    double truth = Dense.bruteForceSensitivity(Dense.of(strategy), participation);
    Sensitivity sensitivity = strategy.sensitivity(participation);
    assertThat(sensitivity.value()).isGreaterThanOrEqualTo(truth * (1 - 1e-15));
    if (sensitivity.exact()) {
      assertThat(sensitivity.value()).isCloseTo(truth, within(ROUNDING * truth));
    }
  }

  private static void check(Sensitivity sensitivity, double value, boolean exact) {
    assertThat(sensitivity.value()).isCloseTo(value, within(ROUNDING * value));
    assertThat(sensitivity.exact()).isEqualTo(exact);
  }
}
