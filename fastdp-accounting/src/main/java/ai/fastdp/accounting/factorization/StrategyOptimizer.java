/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import java.util.Arrays;
import org.apache.commons.math3.exception.TooManyEvaluationsException;
import org.apache.commons.math3.optim.InitialGuess;
import org.apache.commons.math3.optim.MaxEval;
import org.apache.commons.math3.optim.SimpleValueChecker;
import org.apache.commons.math3.optim.nonlinear.scalar.GoalType;
import org.apache.commons.math3.optim.nonlinear.scalar.ObjectiveFunction;
import org.apache.commons.math3.optim.nonlinear.scalar.ObjectiveFunctionGradient;
import org.apache.commons.math3.optim.nonlinear.scalar.gradient.NonLinearConjugateGradientOptimizer;
import org.apache.commons.math3.optim.nonlinear.scalar.gradient.NonLinearConjugateGradientOptimizer.Formula;

/**
 * Strategies with the least error among those with a number of bands, under a single participation.
 * With no more bands than the separation of a min-separation pattern they keep that rank: the
 * squared sensitivity is then k times that of one participation for columns of equal norm (<a
 * href="https://arxiv.org/abs/2306.08153">arXiv 2306.08153</a>; McKenna, <a
 * href="https://arxiv.org/abs/2405.15913">arXiv 2405.15913</a>).
 *
 * <p>Conjugate gradients of Commons Math with analytic gradients, from the banded square root. The
 * result is a strategy in any case: where the search stops decides its error, never its privacy.
 */
public final class StrategyOptimizer {

  private static final double TOEPLITZ_TOLERANCE = 1e-11;
  private static final double BANDED_TOLERANCE = 1e-9;
  private static final int MAX_EVALUATIONS = 20_000;

  /** Of the search along a line; the objectives are scaled to suit it. */
  private static final double LINE_RELATIVE_TOLERANCE = 1e-6;

  private static final double LINE_ABSOLUTE_TOLERANCE = 1e-8;
  private static final double LINE_FIRST_STEP = 1e-2;

  private StrategyOptimizer() {}

  /**
   * The Toeplitz strategy with the least error, \(\|c\|^2\) times that of \(B = A C^{-1}\), in O(T
   * b) for each of some hundred evaluations.
   *
   * @param workload the matrix A (T, T)
   * @param bands b, in [1, T]
   * @param measure the error to be small
   * @return the strategy, scaled to \(\|c\| = 1\)
   * @throws IllegalArgumentException if {@code bands} is outside of [1, T]
   * @throws IllegalStateException if the search does not converge
   */
  public static ToeplitzStrategy toeplitz(
      ToeplitzWorkload workload, int bands, ErrorMeasure measure) {
    ToeplitzStrategy start = ToeplitzStrategy.squareRoot(workload, bands);
    double[] found = start.coefficients();
    if (bands > 1) {
      // Only ratios matter, so the first coefficient stays 1.
      double[] ratios = start.series().scaled(1 / found[0]).toArray();
      ToeplitzObjective objective = new ToeplitzObjective(workload, measure);
      double[] best =
          minimize(
              x -> objective.value(withFirst(x)),
              x -> Arrays.copyOfRange(objective.gradient(withFirst(x)), 1, bands),
              1,
              TOEPLITZ_TOLERANCE,
              Arrays.copyOfRange(ratios, 1, bands));
      found = withFirst(best);
    }
    Series series = new Series(found);
    return new ToeplitzStrategy(
        workload.steps(), series.scaled(1 / Math.sqrt(series.squaredNorm())));
  }

  /**
   * The banded strategy with columns of norm 1 and the least mean squared error, in O(T^2 b) for
   * each evaluation. Starts from {@link #toeplitz}, whose error is within a few percent where T is
   * much larger than b.
   *
   * @param workload the matrix A (T, T)
   * @param bands b, in [1, T]
   * @return the strategy
   * @throws IllegalArgumentException if {@code bands} is outside of [1, T]
   * @throws IllegalStateException if the search does not converge
   */
  public static BandedStrategy banded(Workload workload, int bands) {
    Arguments.bands(bands, workload.steps());
    ToeplitzWorkload model =
        workload instanceof ToeplitzWorkload toeplitz
            ? toeplitz
            : Workload.prefixSum(workload.steps());
    BandedStrategy start =
        BandedStrategy.columnNormalized(toeplitz(model, bands, ErrorMeasure.MEAN_SQUARED));
    try (BandedObjective objective = new BandedObjective(workload, start)) {
      double[] best =
          minimize(
              objective::value,
              objective::gradient,
              workload.steps(),
              BANDED_TOLERANCE,
              start.packed());
      return objective.strategy(best);
    }
  }

  private static double[] withFirst(double[] rest) {
    double[] all = new double[rest.length + 1];
    all[0] = 1;
    System.arraycopy(rest, 0, all, 1, rest.length);
    return all;
  }

  private interface VectorFunction {
    double[] at(double[] point);
  }

  private interface ScalarFunction {
    double at(double[] point);
  }

  /**
   * Searches from {@code start}.
   *
   * @param level what the objective is scaled to at the start: the number of columns that share it,
   *     so that the curvature by one entry is of the order of 1
   * @param tolerance relative change of the objective at which the search ends
   */
  private static double[] minimize(
      ScalarFunction value,
      VectorFunction gradient,
      double level,
      double tolerance,
      double[] start) {
    double scale = level / value.at(start);
    try {
      return new NonLinearConjugateGradientOptimizer(
              Formula.POLAK_RIBIERE,
              new SimpleValueChecker(tolerance, 0),
              LINE_RELATIVE_TOLERANCE,
              LINE_ABSOLUTE_TOLERANCE,
              LINE_FIRST_STEP)
          .optimize(
              new ObjectiveFunction(x -> scale * finiteOrLarge(value.at(x))),
              new ObjectiveFunctionGradient(x -> scaled(scale, gradient.at(x))),
              GoalType.MINIMIZE,
              new InitialGuess(start),
              new MaxEval(MAX_EVALUATIONS))
          .getPoint();
    } catch (TooManyEvaluationsException e) {
      throw new IllegalStateException(
          "search must converge within "
              + MAX_EVALUATIONS
              + " evaluations, got no minimum; use fewer bands or ToeplitzStrategy.squareRoot",
          e);
    }
  }

  /** A step along a line may leave the range of doubles; the line search then turns back. */
  private static double finiteOrLarge(double error) {
    return error >= 0 ? error : Double.POSITIVE_INFINITY;
  }

  private static double[] scaled(double factor, double[] vector) {
    return Arrays.stream(vector).map(x -> factor * x).toArray();
  }
}
