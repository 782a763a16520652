/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.numeric;

import java.util.function.DoubleUnaryOperator;

/**
 * Minimum of a quasi-convex function of one variable: downhill bracketing with doubled steps, then
 * Brent's parabolic interpolation with golden sections (R. P. Brent, Algorithms for Minimization
 * without Derivatives, 1973, chapter 5).
 *
 * <p>Brent's iteration stays one method: each of its lines reads and moves the same interval, three
 * points and two strides, so that parts of it would pass all of these back and forth.
 */
public final class ScalarMinimizer {

  private static final double GOLDEN = (3 - Math.sqrt(5)) / 2;
  private static final int MAX_BRACKETING = 200;
  private static final int MAX_ITERATIONS = 100;

  /** A point and the function's value there. */
  public record Minimum(double at, double value) {}

  private ScalarMinimizer() {}

  /**
   * Minimises {@code f}; where it keeps falling, the last point inside [lowest, highest] is
   * returned.
   *
   * @param tolerance absolute tolerance of the point
   */
  public static Minimum minimize(
      DoubleUnaryOperator f,
      double start,
      double step,
      double lowest,
      double highest,
      double tolerance) {
    double x = start;
    double fx = f.applyAsDouble(x);
    double a = Math.max(lowest, x - step);
    double fa = f.applyAsDouble(a);
    double b = Math.min(highest, x + step);
    double fb = f.applyAsDouble(b);
    double stride = step;
    for (int i = 0; i < MAX_BRACKETING && !(fx <= fa && fx <= fb); i++) {
      stride *= 2;
      if (fa < fx) {
        b = x;
        fb = fx;
        x = a;
        fx = fa;
        a = Math.max(lowest, x - stride);
        fa = f.applyAsDouble(a);
        if (a == x) {
          return new Minimum(x, fx);
        }
      } else {
        a = x;
        fa = fx;
        x = b;
        fx = fb;
        b = Math.min(highest, x + stride);
        fb = f.applyAsDouble(b);
        if (b == x) {
          return new Minimum(x, fx);
        }
      }
    }
    return brent(f, a, b, new Minimum(x, fx), tolerance);
  }

  private static Minimum brent(
      DoubleUnaryOperator f, double left, double right, Minimum inside, double tolerance) {
    double a = left;
    double b = right;
    Minimum best = inside;
    Minimum second = inside;
    Minimum third = inside;
    double last = b - a;
    double beforeLast = last;
    for (int i = 0; i < MAX_ITERATIONS; i++) {
      double x = best.at();
      double middle = (a + b) / 2;
      if (Math.abs(x - middle) <= 2 * tolerance - (b - a) / 2) {
        break;
      }
      double r = (x - second.at()) * (best.value() - third.value());
      double q = (x - third.at()) * (best.value() - second.value());
      double p = (x - third.at()) * q - (x - second.at()) * r;
      q = 2 * (q - r);
      if (q > 0) {
        p = -p;
      }
      q = Math.abs(q);
      double move;
      if (Math.abs(p) < Math.abs(q * beforeLast / 2) && p > q * (a - x) && p < q * (b - x)) {
        beforeLast = last;
        move = p / q;
        double u = x + move;
        if (u - a < 2 * tolerance || b - u < 2 * tolerance) {
          move = x < middle ? tolerance : -tolerance;
        }
      } else {
        beforeLast = x < middle ? b - x : a - x;
        move = GOLDEN * beforeLast;
      }
      last = move;
      double u = x + (Math.abs(move) >= tolerance ? move : Math.copySign(tolerance, move));
      Minimum tried = new Minimum(u, f.applyAsDouble(u));
      if (tried.value() <= best.value()) {
        if (u < x) {
          b = x;
        } else {
          a = x;
        }
        third = second;
        second = best;
        best = tried;
      } else {
        if (u < x) {
          a = u;
        } else {
          b = u;
        }
        if (tried.value() <= second.value() || second.at() == x) {
          third = second;
          second = tried;
        } else if (tried.value() <= third.value() || third.at() == x || third.at() == second.at()) {
          third = tried;
        }
      }
    }
    return best;
  }
}
