/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StrategyOptimizerTest {

  /**
   * jax_privacy: {@code toeplitz.loss(optimize_banded_toeplitz(n, bands, reduction_fn=...), n)} for
   * 64 and 1000 steps; scipy's L-BFGS-B on the same loss for the others.
   */
  @ParameterizedTest(name = "{0} steps, {1} bands")
  @CsvSource({
    "4, 2, 1.946375749487636, 2.7502968331056388",
    "16, 4, 3.7540235663615302, 5.9369337172517245",
    "64, 8, 7.09676191688255, 11.72575368897956",
    "64, 64, 4.74823028229537, 5.706595284506678",
    "1000, 32, 24.115187091644405, 42.0239758120787"
  })
  void toeplitz_prefixSums_equalsJaxPrivacy(int steps, int bands, double mean, double max) {
    ToeplitzWorkload workload = Workload.prefixSum(steps);
    ToeplitzStrategy forMean =
        StrategyOptimizer.toeplitz(workload, bands, ErrorMeasure.MEAN_SQUARED);
    ToeplitzStrategy forMax = StrategyOptimizer.toeplitz(workload, bands, ErrorMeasure.MAX_SQUARED);
    assertThat(error(workload, forMean).meanSquared()).isCloseTo(mean, within(1e-10 * mean));
    assertThat(error(workload, forMax).maxSquared()).isCloseTo(max, within(1e-10 * max));
    assertThat(forMean.sensitivity(Participation.single()).value()).isCloseTo(1, within(1e-12));
  }

  /**
   * The convex problem over \(X = C^\top C\): least tr(A^T A X^-1)/n over positive X with unit
   * diagonal and zeros outside of the bands, by numpy and scipy's L-BFGS-B; jax_privacy {@code
   * banded.optimize(64, bands=8, max_optimizer_steps=2000)} gives 6.867109187094037.
   */
  @ParameterizedTest(name = "{0} steps, {1} bands")
  @CsvSource({
    "4, 2, 1.8866021188930617",
    "16, 4, 3.621011473215118",
    "64, 8, 6.86710918709404",
    "32, 32, 3.579990713282993"
  })
  void banded_prefixSums_reachesTheConvexOptimum(int steps, int bands, double mean) {
    Workload workload = Workload.prefixSum(steps);
    BandedStrategy strategy = StrategyOptimizer.banded(workload, bands);
    assertThat(error(workload, strategy).meanSquared())
        .isBetween(mean * (1 - 1e-9), mean * 1.000001);
    assertThat(strategy.columnNorms()).containsOnly(new double[] {1}, within(1e-14));
  }

  /**
   * Arxiv 2202.08312: no strategy is below the dual's value (2 tr(S) - tr(V)) / n with S the root
   * of V^1/2 A^T A V^1/2 at its fixed point diag(S) = V; computed with numpy.
   */
  @Test
  void banded_allBands_reachesTheDualOfSingleParticipation() {
    Workload workload = Workload.prefixSum(16);
    double found = error(workload, StrategyOptimizer.banded(workload, 16)).meanSquared();
    assertThat(found).isBetween(2.8540848007490682 - 1e-12, 2.8540848007490682 * 1.000001);
  }

  /** Rates falling from 1 to 0.1 in 12 steps, momentum 0.9, three bands: the convex problem. */
  @Test
  void banded_scheduledWorkload_reachesTheConvexOptimum() {
    double[] rates = new double[12];
    for (int t = 0; t < 12; t++) {
      rates[t] = 1 - 0.9 * t / 11;
    }
    Workload workload = Workload.scheduled(rates, 0.9);
    assertThat(error(workload, StrategyOptimizer.banded(workload, 3)).meanSquared())
        .isBetween(19.10856819904616 * (1 - 1e-9), 19.10856819904616 * 1.000001);
  }

  @Property(tries = 60)
  void errors_optimalThenSquareRootThenIndependent(
      @ForAll @IntRange(min = 2, max = 60) int steps,
      @ForAll @IntRange(min = 2, max = 60) int bands,
      @ForAll @DoubleRange(min = 0, max = 0.95) double momentum) {
    ToeplitzWorkload workload = Workload.momentum(steps, momentum, 1);
    int b = Math.min(steps, bands);
    for (ErrorMeasure measure : ErrorMeasure.values()) {
      double optimal =
          error(workload, StrategyOptimizer.toeplitz(workload, b, measure)).by(measure);
      double root = error(workload, ToeplitzStrategy.squareRoot(workload, b)).by(measure);
      double independent = error(workload, ToeplitzStrategy.independent(steps)).by(measure);
      assertThat(optimal).isLessThanOrEqualTo(root * (1 + 1e-12));
      assertThat(optimal).isLessThanOrEqualTo(independent * (1 + 1e-12));
      if (momentum == 0 || b == steps) {
        assertThat(root).isLessThanOrEqualTo(independent * (1 + 1e-12));
      }
    }
  }

  @Property(tries = 20)
  void toeplitzGradient_equalsDifferenceQuotient(
      @ForAll @IntRange(min = 1, max = 30) int steps, @ForAll int seed) {
    double[] at = Strategies.column(Strategies.random(steps, steps, seed), 0, steps);
    for (ErrorMeasure measure : ErrorMeasure.values()) {
      ToeplitzObjective objective =
          new ToeplitzObjective(Workload.momentum(steps, 0.5, 0.9), measure);
      double[] gradient = objective.gradient(at);
      for (int k = 0; k < steps; k++) {
        double difference =
            objective.value(moved(at, k, 1e-5)) - objective.value(moved(at, k, -1e-5));
        double scale = 1 + objective.value(at);
        assertThat(gradient[k]).isCloseTo(difference / 2e-5, within(1e-7 * scale));
      }
    }
  }

  @ParameterizedTest(name = "{0} steps, {1} bands")
  @CsvSource({"1, 1", "7, 3", "40, 5", "70, 40", "300, 2"})
  void bandedGradient_equalsDifferenceQuotient(int steps, int bands) {
    BandedStrategy at = Strategies.random(steps, bands, 3);
    try (BandedObjective objective = new BandedObjective(Workload.prefixSum(steps), at)) {
      double[] packed = at.packed();
      double[] gradient = objective.gradient(packed);
      double scale = 1 + objective.value(packed);
      for (int i = 0; i < packed.length; i += 1 + packed.length / 50) {
        int column = i / bands;
        if (column + i % bands < steps) {
          double difference =
              objective.value(moved(packed, i, 1e-5)) - objective.value(moved(packed, i, -1e-5));
          assertThat(gradient[i]).isCloseTo(difference / 2e-5, within(1e-8 * scale));
        } else {
          assertThat(gradient[i]).isZero();
        }
      }
    }
  }

  @Test
  void oneBand_isIndependentNoise() {
    ToeplitzWorkload workload = Workload.prefixSum(5);
    assertThat(StrategyOptimizer.toeplitz(workload, 1, ErrorMeasure.MEAN_SQUARED).coefficients())
        .containsExactly(1);
  }

  @Test
  void badBands_areNamed() {
    ToeplitzWorkload workload = Workload.prefixSum(5);
    assertThatThrownBy(() -> StrategyOptimizer.toeplitz(workload, 6, ErrorMeasure.MEAN_SQUARED))
        .hasMessage("bands must be in [1, steps] = [1, 5], got 6");
    assertThatThrownBy(() -> StrategyOptimizer.banded(workload, 0))
        .hasMessage("bands must be in [1, steps] = [1, 5], got 0");
  }

  private static double[] moved(double[] point, int index, double by) {
    double[] moved = point.clone();
    moved[index] += by;
    return moved;
  }

  private static WorkloadError error(Workload workload, Strategy strategy) {
    return WorkloadError.of(workload, strategy)
        .underUnitSensitivity(strategy.sensitivity(Participation.single()));
  }
}
