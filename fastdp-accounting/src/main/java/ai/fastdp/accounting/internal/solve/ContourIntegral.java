/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.TiltedLoss;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * delta(epsilon) of a composition as an integral over a vertical line.
 *
 * <p>For every c &gt; 0 and real \(\varepsilon\) (Zhu, Dong, Wang 2022; Alghamdi et al. 2023)
 *
 * <p>\(\delta(\varepsilon) = \frac{1}{2\pi i}\int_{c-i\infty}^{c+i\infty} \frac{e^{K(z) - z
 * \varepsilon}}{z(z+1)}\,dz.\)
 *
 * <p>The trapezoid rule with step h = 2 pi/H gives exactly \(\sum_k \delta(\varepsilon + kH)
 * e^{ckH}\), by Poisson summation. All terms are non-negative, so the rule errs upwards only; the
 * terms k &lt; 0 are at most \(e^{-cH}/(1 - e^{-cH})\) together, those with k &gt; 0 are bounded by
 * Chernoff's bound at some c' &gt; c. The tail of the sum is bounded by bounds of the modulus of
 * the characteristic function ({@link TiltedLoss#logModulusBound}), rounding by a multiple of the
 * sum of moduli. The cost does not depend on the number of steps.
 */
public final class ContourIntegral {

  private final double c;
  private final DominatingPair.Cumulant cumulant;
  private final double step;
  private final double period;
  private final double[] re;
  private final double[] im;
  private final double phaseScale;
  private final double absoluteSum;
  private final double truncation;
  private final double relativeRounding;

  /**
   * Chernoff's bounds of log delta(0), which hold for every epsilon once c epsilon is taken off.
   */
  private final Map<Double, Double> chernoff = new ConcurrentHashMap<>();

  /** Value and slope of the rule at one epsilon, without error terms. */
  private record Value(double logPrefactor, double sum, double slopeSum) {}

  ContourIntegral(ContourPlan plan) {
    c = plan.c();
    cumulant = plan.cumulant();
    period = plan.period();
    step = 2 * Math.PI / period;
    int n = plan.nodes();
    double[] logRe = new double[n];
    double[] phase = new double[n];
    double scale = 0;
    for (int i = 0; i < plan.tilted().size(); i++) {
      TiltedLoss tilted = plan.tilted().get(i);
      double count = plan.losses().parts().get(i).count();
      tilted.addLogPhi(step, 0, n, count, logRe, phase);
      scale += count * Math.sqrt(tilted.cumulant().variance());
    }
    phaseScale = scale;
    re = new double[n];
    im = new double[n];
    double total = 0;
    double plain = 0;
    for (int k = 0; k < n; k++) {
      double s = k * step;
      // 1 / ((c + is)(c + 1 + is))
      double a = c * (c + 1) - s * s;
      double b = s * (2 * c + 1);
      double kernel = (k == 0 ? 0.5 : 1) / (a * a + b * b);
      double modulus = Math.exp(logRe[k]) * kernel;
      double cosine = Math.cos(phase[k]);
      double sine = Math.sin(phase[k]);
      re[k] = modulus * (cosine * a + sine * b);
      im[k] = modulus * (sine * a - cosine * b);
      total += modulus * Math.sqrt(a * a + b * b);
      plain += kernel * Math.sqrt(a * a + b * b);
    }
    absoluteSum = total * step / Math.PI;
    // Mass cut off at the ends does not decay with frequency, so the kernel alone weights it.
    truncation = plan.truncation() + plan.edgeError() * plain * step / Math.PI;
    relativeRounding = plan.relativeError() + 0x1p-52 * n * step * phaseScale;
    if (!(truncation + relativeRounding * absoluteSum < Double.POSITIVE_INFINITY)) {
      throw new NumericalLimitException("contour integral has no error bound");
    }
  }

  /**
   * The result of the rule at one epsilon.
   *
   * @param logScale log of the factor of the next two
   * @param sum of the rule
   * @param error bound of its truncation and rounding
   * @param alias bound of the aliases that the rule adds to delta, without the factor
   */
  private record Point(double logScale, double sum, double error, double alias) {

    double logUpper() {
      return logScale + Math.log(sum + error);
    }

    /** NaN or negative infinity if nothing is known. */
    double logLower() {
      return logScale + Math.log(sum - error - alias * Math.exp(-logScale));
    }
  }

  private Point at(LossComposition losses, double epsilon) {
    Value value = value(epsilon);
    // Away from where the line was planned for, phases may be larger than those of the losses.
    double away = Math.abs(cumulant.mean() - epsilon) - phaseScale - 2 / c;
    double turned = 0x1p-51 * (c + re.length * step) * Math.max(0, away);
    double error = truncation + (relativeRounding + turned) * absoluteSum;
    return new Point(value.logPrefactor(), value.sum(), error, aliasing(losses, epsilon));
  }

  /** Bounds delta at one epsilon; the lower bound may be negative. */
  DeltaBracket delta(LossComposition losses, double epsilon) {
    Point point = at(losses, epsilon);
    double scale = Math.exp(point.logScale());
    double value = scale * point.sum();
    double error = scale * point.error();
    return new DeltaBracket(value - error - point.alias(), value, value + error);
  }

  /**
   * Returns the epsilon in [0, ceiling] at which the rule falls to delta (sign 0), or a checked
   * upper (1) or lower bound (-1) near it; an end of the range if there is none.
   */
  double solve(LossComposition losses, double start, double ceiling, double logDelta, int sign) {
    double alias = sign < 0 ? 2 * aliasing(losses, start) : 0;
    double error = sign * (truncation + relativeRounding * absoluteSum);
    double low = 0;
    double high = ceiling;
    boolean lowTested = false;
    double epsilon = Math.max(low, Math.min(high, start));
    for (int i = 0; i < 200; i++) {
      Value value = value(epsilon);
      double f = value.sum() + error - alias * Math.exp(-value.logPrefactor());
      double miss = f > 0 ? value.logPrefactor() + Math.log(f) - logDelta : -1;
      double slope = f > 0 ? (value.slopeSum() - c * error) / f : 0;
      if (miss > 0) {
        low = epsilon;
        lowTested = true;
      } else if (epsilon == 0) {
        break;
      } else {
        high = epsilon;
      }
      double tolerance = 4e-16 * (epsilon + 1 / c);
      double next = slope < 0 ? epsilon - miss / slope : (low + high) / 2;
      boolean arrived = Math.abs(next - epsilon) <= tolerance || high - low < 4e-16 * high;
      if (!arrived) {
        if (!(next > low)) {
          next = lowTested ? (low + high) / 2 : 0;
        } else if (!(next < high)) {
          next = (low + high) / 2;
        }
        arrived = Math.abs(next - epsilon) <= tolerance;
      }
      epsilon = next;
      if (arrived) {
        break;
      }
    }
    return sign == 0
        ? Math.max(0, Math.min(ceiling, epsilon))
        : seen(losses, epsilon, ceiling, logDelta, sign);
  }

  /** Moves away from epsilon in doubling steps until the bound holds. */
  private double seen(
      LossComposition losses, double epsilon, double ceiling, double logDelta, int sign) {
    double tolerance = 4e-16 * (epsilon + 1 / c);
    double slack = epsilon == 0 ? 0 : tolerance;
    while (true) {
      double x = epsilon + sign * slack;
      if (sign > 0 && !(x < ceiling)) {
        return ceiling;
      }
      if (sign < 0 && !(x > 0)) {
        return 0;
      }
      Point point = at(losses, x);
      if (sign > 0 ? point.logUpper() <= logDelta : point.logLower() >= logDelta) {
        return x;
      }
      slack = Math.max(2 * slack, tolerance);
    }
  }

  private double aliasing(LossComposition losses, double epsilon) {
    double below = Math.exp(-c * period) / -Math.expm1(-c * period);
    double above =
        Chernoff.smallest(
            c,
            far -> {
              double intercept =
                  chernoff.computeIfAbsent(
                      c + far, further -> Chernoff.logDelta(losses, further, 0));
              double logTerm = intercept - (c + far) * epsilon - far * period;
              return Math.exp(logTerm) / -Math.expm1(-far * period);
            });
    return below + above;
  }

  private Value value(double epsilon) {
    double shift = cumulant.mean() - epsilon;
    double turnCosine = Math.cos(step * shift);
    double turnSine = Math.sin(step * shift);
    double cosine = 1;
    double sine = 0;
    double sum = 0;
    double slope = 0;
    for (int k = 0; k < re.length; k++) {
      if (k % 64 == 0) {
        cosine = Math.cos(k * step * shift);
        sine = Math.sin(k * step * shift);
      }
      double a = re[k] * cosine - im[k] * sine;
      double b = re[k] * sine + im[k] * cosine;
      sum += a;
      slope -= c * a - k * step * b;
      double turned = cosine * turnCosine - sine * turnSine;
      sine = sine * turnCosine + cosine * turnSine;
      cosine = turned;
    }
    if (!(Math.abs(sum) + Math.abs(slope) < Double.POSITIVE_INFINITY)) {
      throw new NumericalLimitException("contour integral is out of range");
    }
    return new Value(cumulant.value() - c * epsilon, sum * step / Math.PI, slope * step / Math.PI);
  }
}
