/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** Strategies, their inverses and errors. */
class FactorizationTest {

  /** {@code mpmath: (-1)**k * binomial(mpf(-1)/2, k)}. */
  @Test
  void squareRoot_ofPrefixSums_areTheBinomialCoefficients() {
    double[] c = ToeplitzStrategy.squareRoot(Workload.prefixSum(1001), 1001).coefficients();
    assertThat(new double[] {c[0], c[1], c[2], c[5], c[10], c[100], c[1000]})
        .containsExactly(
            new double[] {
              1,
              0.5,
              0.375,
              0.24609375,
              0.17619705200195312,
              0.05634847900925642,
              0.01783901114585432
            },
            within(1e-14));
  }

  @Test
  void squareRoot_full_squaresToTheWorkload() {
    ToeplitzWorkload workload = Workload.momentum(40, 0.9, 0.99);
    double[][] c = Dense.of(ToeplitzStrategy.squareRoot(workload, 40));
    assertClose(Dense.product(c, c), Dense.of(workload), 1e-12);
  }

  /** {@code B = scipy.linalg.solve_triangular(C.T, A.T).T}, mean and largest row of B*B. */
  @Test
  void error_ofTheSquareRoot_equalsNumpy() {
    WorkloadError full = squareRootError(Workload.prefixSum(64), 64);
    assertThat(full.meanSquared()).isCloseTo(2.081110620076648, within(1e-13));
    assertThat(full.maxSquared()).isCloseTo(2.3888481082954343, within(1e-13));
    WorkloadError banded = squareRootError(Workload.prefixSum(1000), 32);
    assertThat(banded.meanSquared()).isCloseTo(13.860694387248902, within(1e-11));
    assertThat(banded.maxSquared()).isCloseTo(26.2173532918707, within(1e-11));
  }

  /** {@code sum(mpmath.binomial(-1/2, k)**2 for k in range(1000))**2}: B and C are the same. */
  @Test
  void underUnitSensitivity_squareRoot_isTheSquaredNormSquared() {
    ToeplitzStrategy c = ToeplitzStrategy.squareRoot(Workload.prefixSum(1000), 1000);
    WorkloadError error =
        WorkloadError.of(Workload.prefixSum(1000), c)
            .underUnitSensitivity(c.sensitivity(Participation.single()));
    assertThat(error.maxSquared()).isCloseTo(10.660245116800416, within(1e-10));
    assertThat(error.by(ErrorMeasure.MAX_SQUARED)).isEqualTo(error.maxSquared());
    assertThat(error.by(ErrorMeasure.MEAN_SQUARED)).isEqualTo(error.meanSquared());
  }

  /** Momentum 0.9, decay 0.99; learning rates 1 / (1 + 0.1 t): numpy, as above. */
  @Test
  void error_ofOtherWorkloads_equalsNumpy() {
    ToeplitzStrategy root = ToeplitzStrategy.squareRoot(Workload.prefixSum(50), 8);
    ToeplitzWorkload momentum = Workload.momentum(50, 0.9, 0.99);
    assertThat(WorkloadError.of(momentum, root).meanSquared())
        .isCloseTo(123.32952063705073, within(1e-10));
    assertThat(WorkloadError.of(momentum, root).maxSquared())
        .isCloseTo(253.56581545296987, within(1e-10));
    assertThat(WorkloadError.of(momentum, ToeplitzStrategy.independent(50)).meanSquared())
        .isCloseTo(1075.3849642324124, within(1e-9));
    double[] rates = new double[50];
    for (int t = 0; t < 50; t++) {
      rates[t] = 1 / (1 + 0.1 * t);
    }
    WorkloadError scheduled = WorkloadError.of(Workload.scheduled(rates, 0.9), root);
    assertThat(scheduled.meanSquared()).isCloseTo(35.0388515596944, within(1e-11));
    assertThat(scheduled.maxSquared()).isCloseTo(54.204052549515424, within(1e-11));
  }

  /** jax_privacy: {@code dense.per_query_error(strategy_matrix=C)} of the matrix of cosines. */
  @Test
  void error_ofCosines_equalsJaxPrivacy() {
    WorkloadError error = WorkloadError.of(Workload.prefixSum(20), Strategies.cosines());
    assertThat(error.meanSquared()).isCloseTo(1.4204875657845744, within(1e-13));
    assertThat(error.maxSquared()).isCloseTo(2.2637961788869347, within(1e-13));
  }

  /** Slabs have 256 rows, blocks 32 columns or more: sizes on all sides of these. */
  @Property(tries = 60)
  void errorInBlocks_equalsRowNormsOfWorkloadTimesNoise(
      @ForAll @IntRange(min = 1, max = 80) int steps,
      @ForAll @IntRange(min = 1, max = 80) int bands,
      @ForAll int seed) {
    BandedStrategy strategy = Strategies.random(steps, Math.min(bands, steps), seed);
    checkErrorInBlocks(strategy);
  }

  @Test
  void errorInBlocks_severalSlabs_equalsRowNormsOfWorkloadTimesNoise() {
    checkErrorInBlocks(Strategies.random(300, 5, 1));
    checkErrorInBlocks(Strategies.random(257, 40, 2));
  }

  private static void checkErrorInBlocks(BandedStrategy strategy) {
    int steps = strategy.steps();
    Workload workload = Workload.momentum(steps, 0.5, 1);
    double[][] b = Dense.product(Dense.of(workload), Dense.inverse(strategy));
    // B C = A
    assertClose(Dense.product(b, Dense.of(strategy)), Dense.of(workload), 1e-10);
    try (BlockBidiagonal blocks = BlockBidiagonal.of(strategy)) {
      double[] norms = blocks.squaredRowNorms(workload);
      for (int t = 0; t < steps; t++) {
        double sum = 0;
        for (double x : b[t]) {
          sum += x * x;
        }
        assertThat(norms[t]).isCloseTo(sum, within(1e-10 * sum));
      }
    }
  }

  @Property(tries = 40)
  void gram_equalsInnerProductsOfColumns(
      @ForAll @IntRange(min = 1, max = 80) int steps,
      @ForAll @IntRange(min = 1, max = 80) int bands,
      @ForAll int seed) {
    BandedStrategy strategy = Strategies.random(steps, Math.min(bands, steps), seed);
    checkGram(Gram.of(strategy), strategy);
    ToeplitzStrategy toeplitz =
        ToeplitzStrategy.of(steps, Strategies.column(strategy, 0, Math.min(bands, steps)));
    checkGram(Gram.of(toeplitz), toeplitz);
  }

  private static void checkGram(Gram gram, Strategy strategy) {
    double[][] c = Dense.of(strategy);
    for (int i = 0; i < c.length; i++) {
      for (int j = 0; j < c.length; j++) {
        double sum = 0;
        for (double[] row : c) {
          sum += row[i] * row[j];
        }
        assertThat(gram.at(i, j)).isCloseTo(sum, within(1e-12));
      }
      assertThat(strategy.columnNorms()[i]).isCloseTo(Math.sqrt(gram.at(i, i)), within(1e-12));
    }
  }

  @Property(tries = 40)
  void noiseStream_solvesStrategyTimesNoise(
      @ForAll @IntRange(min = 1, max = 40) int steps,
      @ForAll @IntRange(min = 1, max = 40) int bands,
      @ForAll int seed) {
    BandedStrategy strategy = Strategies.random(steps, Math.min(bands, steps), seed);
    double[][] identity = Dense.product(Dense.of(strategy), Dense.inverse(strategy));
    for (int i = 0; i < steps; i++) {
      for (int j = 0; j < steps; j++) {
        assertThat(identity[i][j]).isCloseTo(i == j ? 1 : 0, within(1e-12));
      }
    }
  }

  /** jax_privacy: {@code optimal_max_error_noising_coefs}: differences of the coefficients. */
  @Test
  void noiseCoefficients_ofTheSquareRoot_areDifferencesOfItsCoefficients() {
    ToeplitzStrategy root = ToeplitzStrategy.squareRoot(Workload.prefixSum(30), 30);
    double[] c = root.coefficients();
    double[] noise = root.noiseCoefficients();
    double[][] inverse = Dense.inverse(root);
    for (int k = 0; k < 30; k++) {
      assertThat(noise[k]).isCloseTo(c[k] - (k == 0 ? 0 : c[k - 1]), within(1e-15));
      assertThat(inverse[29][29 - k]).isCloseTo(noise[k], within(1e-15));
    }
  }

  @Test
  void noiseStream_pastTheLastStep_throws() {
    NoiseStream stream = new NoiseStream(ToeplitzStrategy.independent(1), 2);
    assertThatThrownBy(() -> stream.next(new double[3]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("fresh must have 2 entries, got 3");
    stream.next(new double[2]);
    assertThatThrownBy(() -> stream.next(new double[2]))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "step must be below the strategy's 1 steps, got 1; plan a strategy with more steps");
  }

  @Test
  void noiseStream_callerChangesAResult_laterNoiseIsTheSame() {
    ToeplitzStrategy strategy = ToeplitzStrategy.of(2, 1, 0.5);
    NoiseStream stream = new NoiseStream(strategy, 1);
    stream.next(new double[] {4})[0] = 99;
    assertThat(stream.next(new double[] {1})).containsExactly(-1);
  }

  @Test
  void columnNormalized_hasColumnsOfNormOne_andLessError() {
    ToeplitzWorkload workload = Workload.prefixSum(40);
    ToeplitzStrategy root = ToeplitzStrategy.squareRoot(workload, 6);
    BandedStrategy normalized = BandedStrategy.columnNormalized(root);
    assertThat(normalized.columnNorms()).containsOnly(new double[] {1}, within(1e-15));
    assertThat(WorkloadError.of(workload, normalized).meanSquared())
        .isLessThan(
            WorkloadError.of(workload, root)
                .underUnitSensitivity(root.sensitivity(Participation.single()))
                .meanSquared());
  }

  @Test
  void badArguments_areNamed() {
    assertThatThrownBy(() -> ToeplitzStrategy.of(2, 1, 2, 3))
        .hasMessage("bands must be in [1, steps] = [1, 2], got 3");
    assertThatThrownBy(() -> ToeplitzStrategy.of(2, 0, 2))
        .hasMessage("coefficients[0] must be finite and > 0, got 0.0");
    assertThatThrownBy(() -> ToeplitzStrategy.of(2))
        .hasMessage("number of coefficients must be >= 1, got 0");
    assertThatThrownBy(() -> ToeplitzStrategy.squareRoot(Workload.prefixSum(3), 4))
        .hasMessage("bands must be in [1, steps] = [1, 3], got 4");
    assertThatThrownBy(() -> ToeplitzStrategy.independent(3).entry(0, 3))
        .hasMessage("column must be in [0, 2], got 3; steps count from 0");
    assertThatThrownBy(() -> BandedStrategy.of(new double[][] {{1, 2}, {3, 4}}))
        .hasMessage("columns[1] must have 1 entries, got 2");
    assertThatThrownBy(() -> BandedStrategy.of(new double[][] {{1, Double.NaN}, {3}}))
        .hasMessage("columns[0][1] must be finite, got NaN");
    assertThatThrownBy(() -> BandedStrategy.of(new double[][] {{1, 2}, {-3}}))
        .hasMessage("columns[1][0] must be finite and > 0, got -3.0");
    assertThatThrownBy(
            () -> WorkloadError.of(Workload.prefixSum(3), ToeplitzStrategy.independent(4)))
        .hasMessage("strategy must have the workload's 3 steps, got 4");
    assertThatThrownBy(() -> new NoiseStream(ToeplitzStrategy.independent(4), 0))
        .hasMessage("dimension must be >= 1, got 0");
  }

  private static WorkloadError squareRootError(ToeplitzWorkload workload, int bands) {
    return WorkloadError.of(workload, ToeplitzStrategy.squareRoot(workload, bands));
  }

  private static void assertClose(double[][] actual, double[][] expected, double tolerance) {
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).containsExactly(expected[i], within(tolerance));
    }
  }
}
