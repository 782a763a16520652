/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.numeric;

/**
 * \(E(z, w) = \bar\Phi(z) - e^{zw + w^2/2}\,\bar\Phi(z + w)\), w &gt; 0, of which all hockey-stick
 * curves of Gaussian pairs consist.
 *
 * <p>With Mills' ratio \(R = \bar\Phi/\varphi\), a falling convex function, \(E = \varphi(z) (R(z)
 * - R(z + w))\): the exponential, whose exponent is of the order of w^2, does not have to be
 * rounded.
 *
 * @param log log E; where rounding hides E, a value between the bounds
 * @param lower a lower bound of log E; negative infinity where rounding hides E
 * @param upper an upper bound of log E
 * @param subtracted \(e^{zw + w^2/2}\,\bar\Phi(z + w) / E\), about
 */
public record GaussianHockeyStickTerm(double log, double lower, double upper, double subtracted) {

  private static final double LOG_ROOT_TWO_PI = 0.5 * Math.log(2 * Math.PI);

  /** Relative rounding error of R, of tails, and of sums of a few of them. */
  private static final double ROUNDING = 0x1p-49;

  /** For smaller w the difference is computed from the derivative. */
  private static final double NARROW = 1e-5;

  /** For smaller z the derivative is not used. */
  private static final double FAR_LEFT = -5;

  public static GaussianHockeyStickTerm of(double z, double w) {
    if (w == Double.POSITIVE_INFINITY) {
      return new GaussianHockeyStickTerm(0, 0, 0, 0);
    }
    double far = z + w;
    if (far <= 0 && !(w < NARROW && z > FAR_LEFT)) {
      // No term is negative.
      double second = Math.exp(w * (z + w / 2)) * NormalTail.above(far);
      double step = NormalTail.above(-far) - NormalTail.above(-z);
      double value = step - Math.expm1(w * (z + w / 2)) * NormalTail.above(far);
      return of(0, value, ROUNDING * (value + NormalTail.above(-far)), second);
    }
    double logDensity = -z * z / 2 - LOG_ROOT_TWO_PI;
    if (w < NARROW && z > FAR_LEFT) {
      // R(z) - R(z + w) = -w R'(y) (1 + O(w^2)) in the middle y, where -R''' <= 30 (-R')
      double y = z + w / 2;
      double bend = y * ratio(y);
      double noise = ROUNDING * (1 + Math.abs(bend)) + 2 * w * w * (1 - bend);
      return of(logDensity + Math.log(w), 1 - bend, noise, ratio(far) / w);
    }
    if (z < 0) {
      double first = NormalTail.above(z);
      double second = Math.exp(logDensity) * ratio(far);
      return of(0, first - second, ROUNDING * (first + second), second);
    }
    double first = ratio(z);
    double second = ratio(far);
    return of(logDensity, first - second, ROUNDING * (first + second), second);
  }

  private static GaussianHockeyStickTerm of(
      double logScale, double value, double noise, double second) {
    if (logScale == Double.NEGATIVE_INFINITY) {
      return new GaussianHockeyStickTerm(logScale, logScale, logScale, 0);
    }
    double logNoise = 0x1p-51 * (1 + Math.abs(logScale));
    boolean known = value > 2 * noise;
    double positive = known ? value : noise;
    double log = logScale + Math.log(positive);
    return new GaussianHockeyStickTerm(
        log,
        known ? log + Math.log1p(-noise / value) - logNoise : Double.NEGATIVE_INFINITY,
        logScale + Math.log(Math.max(value, 0) + noise) + logNoise,
        second / positive);
  }

  /** R; finite for all z that are not far below 0. */
  private static double ratio(double z) {
    return z < 0
        ? NormalTail.above(z) * Math.exp(z * z / 2 + LOG_ROOT_TWO_PI)
        : NormalTail.millsRatio(z);
  }
}
