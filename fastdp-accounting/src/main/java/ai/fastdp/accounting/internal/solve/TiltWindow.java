/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.ArrayList;
import java.util.List;

/**
 * The range of total losses that a {@link TiltedFft} has to tell apart to know delta near an
 * epsilon, and the tilt.
 *
 * @param c the tilt
 * @param above the sum is read up to epsilon plus this
 * @param period length of the range
 * @param height log of the tilted mass that rounding errors are relative to
 * @param foldings bounds of the mass that the transform folds back into the range from above
 */
record TiltWindow(double c, double above, double period, double height, List<Folding> foldings) {

  /** Natural logarithm of the precision that may be given up for a shorter period. */
  private static final double MAX_LOSS = 3;

  /**
   * The losses above epsilon plus the period add at most \(e^{K(c') - c' \varepsilon - (c' - c)
   * H}\) to delta(epsilon), H the period, as they are read with a factor \(e^{cH}\).
   *
   * @param c above the tilt
   * @param cumulant K there
   */
  record Folding(double c, double cumulant) {}

  /**
   * Returns the window of the best tilt.
   *
   * @param safety -log of the mass that may be neglected
   */
  static TiltWindow near(LossComposition losses, double epsilon, double safety) {
    double saddle = SaddlePoint.forEpsilon(losses, epsilon).c();
    // Left of the saddle point the sum folds back less, so that a shorter period is enough.
    TiltWindow window = of(losses, saddle, epsilon, safety);
    double lowest = window.height();
    for (double factor = 0.9; factor > 0.2; factor *= 0.9) {
      TiltWindow tried = of(losses, saddle * factor, epsilon, safety);
      if (tried.period() >= window.period() || tried.height() > lowest + MAX_LOSS) {
        break;
      }
      window = tried;
    }
    return window;
  }

  private static TiltWindow of(LossComposition losses, double c, double epsilon, double safety) {
    // Up to where the sum must be read, for what lies beyond to be negligible.
    double above = Double.POSITIVE_INFINITY;
    // The period at which what is folded back from above, times e^{c period}, is negligible.
    double folded = Double.POSITIVE_INFINITY;
    List<Folding> foldings = new ArrayList<>();
    for (double far = Chernoff.firstStep(c) / 2; far < 1000 * (c + 1); far *= 1.3) {
      try {
        double bound = Chernoff.cumulantBound(losses, far) - far * epsilon;
        double further = Chernoff.cumulantBound(losses, c + far) - (c + far) * epsilon;
        double nextAbove = (bound + safety) / far;
        double nextFolded = (further + safety) / far;
        if (nextAbove > above && nextFolded > folded) {
          break; // a convex function over a linear one falls and then rises
        }
        above = Math.min(above, nextAbove);
        folded = Math.min(folded, nextFolded);
        foldings.add(new Folding(c + far, further + (c + far) * epsilon));
      } catch (NumericalLimitException e) {
        if (folded == Double.POSITIVE_INFINITY) {
          throw e;
        }
        break; // every c' has a valid bound, so the smallest so far stays one
      }
    }
    return new TiltWindow(
        c,
        above,
        1.02 * Math.max(folded, Math.max(above, safety / c)),
        losses.cumulant(c).value() - c * epsilon,
        foldings);
  }

  /** {@return how far below epsilon the range begins} */
  double below() {
    return period - 1.01 * above;
  }

  /** {@return the tilted mass that can come from beyond the range, relative to all} */
  double wrapped() {
    return Math.exp(-c * period) / -Math.expm1(-c * period);
  }

  /** Bounds the part of delta that is folded back from above. */
  double folded(double epsilon) {
    double least = Double.POSITIVE_INFINITY;
    for (Folding folding : foldings) {
      double far = (folding.c() - c) * period;
      least =
          Math.min(
              least,
              Math.exp(folding.cumulant() - folding.c() * epsilon - far) / -Math.expm1(-far));
    }
    return least;
  }
}
