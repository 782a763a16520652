/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.loss.GaussianHockeyStick;
import ai.fastdp.accounting.internal.loss.HockeyStick;
import ai.fastdp.accounting.internal.loss.Separation;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleUnaryOperator;

/**
 * Sampled Gaussian steps with so little noise that the output tells whether the record was sampled:
 * a sum over how often it was.
 *
 * <p>With b sampled steps of T the privacy loss is nearly \(b a + (T-b) a_0 + X\), X that of a
 * Gaussian mechanism with \(\mu = \sqrt{b}/s\), so
 *
 * <p>\(\delta(\varepsilon) \approx D(\varepsilon) = \sum_b \binom{T}{b} q^b (1-q)^{T-b}\,
 * \delta_{\sqrt{b}/s}(\varepsilon - b a - (T-b) a_0).\)
 *
 * <p>Every step's loss differs from that by at most {@link Separation#slack()} except with
 * probability {@link Separation#failure()}; with their sums t and m over all steps, \(D(\varepsilon
 * + t) - m \le \delta(\varepsilon) \le D(\varepsilon - t) + m\).
 */
public final class SeparatedSteps {

  /** Absolute, for the loss of all steps. */
  private static final double SLACK = 1e-10;

  /** Relative to delta; where more may fail, other methods are narrower. */
  private static final double MOST_FAILURE = 1e-8;

  private static final int MOST_CASES = 5_000;

  /** What is left out on either side, relative to delta. */
  private static final double LEFT_OUT = 1e-14;

  private static final double LEAST_DELTA = 1e-250;

  /** Relative width of delta, where it is not known beforehand. */
  private static final double NARROW = 1e-6;

  private static final int ROUNDS = 6;

  /** Sampled so and so often. */
  private record Case(double probability, double mu, double shift) {}

  private final List<Case> cases;
  private final double slack;
  private final double failure;

  /** Relative error of the cases' probabilities. */
  private final double rounding;

  private final int phases;

  private SeparatedSteps(
      List<Case> cases, double slack, double failure, double rounding, int phases) {
    this.cases = cases;
    this.phases = phases;
    this.slack = slack;
    this.failure = failure;
    this.rounding = rounding;
  }

  /** The sum, if it is short and exact enough where delta is about the given number. */
  private static Optional<SeparatedSteps> of(LossComposition losses, double delta) {
    if (!(delta >= LEAST_DELTA)) {
      return Optional.empty();
    }
    double perStep = SLACK / losses.steps();
    double slack = 0;
    double failure = 0;
    double rounding = 0;
    List<Case> cases = List.of(new Case(1, 0, 0));
    for (LossComposition.Part part : losses.parts()) {
      Optional<Separation> found = part.pair().separation(perStep);
      if (found.isEmpty()) {
        return Optional.empty();
      }
      Separation one = found.get();
      slack += part.count() * one.slack();
      failure += part.count() * one.failure();
      if (!(failure <= MOST_FAILURE * delta)) {
        return Optional.empty();
      }
      Optional<Counts> counts = Counts.of(part.count(), one.probability(), delta * LEFT_OUT);
      if (counts.isEmpty() || (double) counts.get().length() * cases.size() > MOST_CASES) {
        return Optional.empty();
      }
      failure += counts.get().leftOut();
      rounding += counts.get().rounding();
      cases = extended(cases, counts.get(), part.count(), one);
    }
    if (!(largest(cases) < Double.POSITIVE_INFINITY)) {
      return Optional.empty();
    }
    return Optional.of(new SeparatedSteps(cases, slack, failure, rounding, losses.parts().size()));
  }

  private static List<Case> extended(List<Case> cases, Counts counts, long steps, Separation one) {
    List<Case> all = new ArrayList<>();
    for (Case known : cases) {
      for (int i = 0; i < counts.length(); i++) {
        double sampled = counts.first() + i;
        double square = known.mu() * known.mu() + sampled * one.mu() * one.mu();
        all.add(
            new Case(
                known.probability() * counts.probabilities().get(i),
                Math.sqrt(square),
                known.shift() + sampled * one.shift() + (steps - sampled) * one.rest()));
      }
    }
    return all;
  }

  /**
   * The binomial distribution, where it matters.
   *
   * @param first the smallest count
   * @param probabilities of that and the following counts
   * @param leftOut a bound of the probability of all others
   * @param rounding relative error of the probabilities
   */
  private record Counts(long first, List<Double> probabilities, double leftOut, double rounding) {

    int length() {
      return probabilities.size();
    }

    /** By the ratio of neighbours, from the most probable count on. */
    static Optional<Counts> of(long steps, double q, double negligible) {
      if (q == 0 || q == 1) {
        return Optional.of(new Counts(q == 0 ? 0 : steps, List.of(1.0), 0, 0));
      }
      long mode = Math.min(steps, (long) Math.floor((steps + 1.0) * q));
      List<Double> below = new ArrayList<>();
      double tailBelow = tail(below, steps, mode, q, false, negligible);
      List<Double> above = new ArrayList<>();
      double tailAbove = tail(above, steps, mode, q, true, negligible);
      if (below.size() + above.size() >= MOST_CASES) {
        return Optional.empty();
      }
      Collections.reverse(below);
      List<Double> weights = new ArrayList<>(below);
      weights.add(1.0);
      weights.addAll(above);
      double total = weights.stream().mapToDouble(Double::doubleValue).sum();
      // What is left out is missing from the total, too.
      double leftOut = (tailBelow + tailAbove) / total;
      return Optional.of(
          new Counts(
              mode - below.size(),
              weights.stream().map(weight -> weight / total).toList(),
              leftOut,
              0x1p-50 * weights.size() + leftOut));
    }

    /** Fills in weights relative to that of the mode; returns a bound of the sum of the others. */
    private static double tail(
        List<Double> weights, long steps, long mode, double q, boolean up, double negligible) {
      double weight = 1;
      double odds = q / (1 - q);
      for (long k = mode; up ? k < steps : k > 0; k += up ? 1 : -1) {
        double ratio = up ? (steps - k) / (k + 1.0) * odds : k / (steps - k + 1.0) / odds;
        weight *= ratio;
        // Ratios fall with the distance from the mode.
        if ((ratio < 1 && weight / (1 - ratio) <= negligible) || weights.size() >= MOST_CASES) {
          return weight / (1 - ratio);
        }
        weights.add(weight);
      }
      return 0;
    }
  }

  /** Bounds of delta at one epsilon, if they are narrow. */
  static Optional<DeltaBracket> delta(LossComposition losses, double epsilon) {
    double guess = 1e-4;
    for (int round = 0; round < ROUNDS; round++) {
      Optional<SeparatedSteps> steps = of(losses, guess);
      if (steps.isEmpty()) {
        break;
      }
      DeltaBracket found = steps.get().delta(epsilon);
      if (found.upper() - found.lower() <= NARROW * found.estimate()) {
        return Optional.of(found);
      }
      guess = found.estimate() > 0 ? Math.min(found.estimate(), guess / 2) : guess * 1e-40;
    }
    return Optional.empty();
  }

  /** Bounds of epsilon where delta falls to e^{logDelta}, if there are any. */
  static Optional<EpsilonInterval> epsilon(LossComposition losses, double logDelta) {
    double delta = Math.exp(logDelta);
    return of(losses, delta).flatMap(steps -> steps.epsilon(delta));
  }

  /** Bounds of delta at one epsilon. */
  private DeltaBracket delta(double epsilon) {
    double reach = slack + rounding(epsilon);
    return new DeltaBracket(lower(epsilon + reach), sum(epsilon, 0), upper(epsilon - reach));
  }

  /** Bounds of epsilon where delta falls to a number, if epsilon is one, too. */
  private Optional<EpsilonInterval> epsilon(double delta) {
    double high = 1;
    while (!(upper(high) <= delta)) {
      high *= 2;
      if (high == Double.POSITIVE_INFINITY) {
        return Optional.empty();
      }
    }
    double reach = slack + rounding(high);
    if (upper(-reach) <= delta) {
      return Optional.of(EpsilonInterval.ZERO);
    }
    double upper = root(high, x -> upper(x) - delta).high();
    double estimate = root(high, x -> sum(x, 0) - delta).high();
    double lower = root(high, x -> lower(x) - delta).low();
    return Optional.of(EpsilonInterval.of(lower - reach, estimate, upper + reach));
  }

  private double upper(double epsilon) {
    return sum(epsilon, 1) + failure;
  }

  private double lower(double epsilon) {
    return sum(epsilon, -1) - failure;
  }

  /** D, with its rounding errors in full (1), subtracted (-1) or ignored. */
  private double sum(double epsilon, int sign) {
    double sum = 0;
    for (Case one : cases) {
      double rest = epsilon - one.shift();
      double value;
      if (one.mu() == 0) {
        value = Math.max(0, -Math.expm1(rest));
      } else {
        HockeyStick.Point point = new GaussianHockeyStick(one.mu()).at(rest);
        value = Math.exp(sign > 0 ? point.upper() : sign < 0 ? point.lower() : point.log());
      }
      sum += one.probability() * value * (1 + sign * (rounding + 0x1p-50));
    }
    return sum;
  }

  /** What rounding moves epsilon by: every phase adds to all terms. */
  private double rounding(double epsilon) {
    return (phases + 4) * 0x1p-50 * Math.max(epsilon, largest(cases));
  }

  /** The largest of all terms that the arguments consist of. */
  private static double largest(List<Case> cases) {
    double largest = 0;
    for (Case one : cases) {
      largest = Math.max(largest, Math.max(Math.abs(one.shift()), one.mu() * one.mu()));
    }
    return largest;
  }

  private record Bracket(double low, double high) {}

  /** The function is seen to be positive at low, or low is 0, and not to be at high. */
  private static Bracket root(double ceiling, DoubleUnaryOperator f) {
    double low = 0;
    double high = ceiling;
    if (f.applyAsDouble(0) <= 0) {
      return new Bracket(0, 0);
    }
    for (int i = 0; i < 100 && high - low > 1e-13 * high; i++) {
      double middle = (low + high) / 2;
      if (f.applyAsDouble(middle) > 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return new Bracket(low, high);
  }
}
