/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.NormalTail;
import java.util.List;

/**
 * The Gaussian mechanism on a subset of fixed size when a record is replaced.
 *
 * <p>With q the fraction of records in the subset and s the noise relative to the sensitivity under
 * replacement, the dominating curve is that of P' = (1-q) N(0, s^2) + q N(1, s^2) against Q' = N(0,
 * s^2) for epsilon &gt;= 0, and that of (Q', P') below (Zhu, Dong, Wang 2022, arXiv 2106.08567;
 * proof in docs/proofs/dominating-pairs.md). This is the hockey-stick curve of a pair with the loss
 * log r of P' on x &gt; 1/2, where it is positive, of its mirror image (loss -log r with the
 * distribution of Q' there), and of an atom at 0 with the remaining mass. It is symmetric.
 *
 * @param ratio q and s
 * @param cut P is restricted to x &lt;= cut; what lies beyond has to be accounted for by the caller
 */
public record FixedSizeGaussianPair(MixtureRatio ratio, double cut) implements QuadraturePair {

  public FixedSizeGaussianPair(double sampleRate, double sigma) {
    this(new MixtureRatio(sampleRate, sigma), Double.POSITIVE_INFINITY);
  }

  @Override
  public FixedSizeGaussianPair restricted(double lostMass) {
    return new FixedSizeGaussianPair(ratio, ratio.quantileBound(lostMass));
  }

  @Override
  public double scale() {
    return ratio.sigma();
  }

  /** For epsilon &gt;= 0 the curve is that of the sampled mechanism. */
  @Override
  public HockeyStick hockeyStick() {
    return new PoissonGaussianHockeyStick(ratio, PoissonGaussianPair.Direction.REMOVE);
  }

  @Override
  public List<Branch> branches() {
    return List.of(new Half(false), new Half(true));
  }

  /** 1 - P'(x &gt; 1/2) - Q'(x &gt; 1/2) = (1-q) (1 - 2 Q'(x &gt; 1/2)). */
  @Override
  public double atom() {
    double z = 0.5 / ratio.sigma();
    return (1 - ratio.sampleRate()) * NormalTail.between(-z, z);
  }

  /**
   * The parameter is v with \(x = 1/2 + a \log(1 + e^v)\), which maps the real line to x &gt; 1/2.
   *
   * <p>On the line Im v = t', 0 &lt; t' &lt; pi/2, |Im x| &lt;= a t' and Re x rises from 1/2 to
   * infinity with \(|dx/dv| \le \mathrm{Re}(dx/dv) / \cos t'\), so the integral of the modulus is
   * at most 1/cos t' times that over real x, times the growth of {@link
   * PoissonGaussianPair#spacing} with t = a t'/s^2.
   */
  @Override
  public double spacing(double c, double s) {
    double variance = ratio.sigma() * ratio.sigma();
    double best = 0;
    for (int i = 1; i <= 24; i++) {
      double strip = 1.3 * Math.pow(0.8, i - 1);
      double t = stretch() * strip / variance;
      double growth =
          t * t * variance / 2 + s * t - c * Math.log(Math.cos(t / 2)) - Math.log(Math.cos(strip));
      best = Math.max(best, QuadraturePair.spacingFor(strip, growth));
    }
    return best;
  }

  /** a; at most 2 s^2, so that t stays below pi. */
  private double stretch() {
    return ratio.sigma() * Math.min(1, 2 * ratio.sigma());
  }

  /** The positive losses under P', or the negative ones under Q'. */
  private final class Half implements Branch {

    private final boolean positive;

    Half(boolean positive) {
      this.positive = positive;
    }

    @Override
    public double leftEnd(double c) {
      return -45;
    }

    @Override
    public double rightEnd(double c) {
      double end = (positive ? 1 + c : 1) + 11 * ratio.sigma();
      double scaled = (Math.min(positive ? cut : end, end) - 0.5) / stretch();
      return scaled + Math.log(-Math.expm1(-scaled));
    }

    @Override
    public void at(double v, Node node) {
      double softplus = v > 0 ? v + Math.log1p(Math.exp(-v)) : Math.log1p(Math.exp(v));
      double x = 0.5 + stretch() * softplus;
      double logRatio = ratio.log(x);
      // dx/dv = a / (1 + e^-v), and log(1 / (1 + e^-v)) = v - log(1 + e^v)
      double logJacobian = Math.log(stretch()) + v - softplus;
      node.loss = positive ? logRatio : -logRatio;
      node.logP = ratio.logBase(x) + logJacobian + (positive ? logRatio : 0);
      node.slope = ratio.logDerivative(x, logRatio) * Math.exp(logJacobian);
    }
  }

  @Override
  public void discretize(ConnectTheDots cells, double c) {
    double q = ratio.sampleRate();
    double d = cells.spacing();
    double end = Math.min(cut, 1 + c + 11 * ratio.sigma());
    long last = cells.index(ratio.log(end)) + 1;
    cells.requireFeasible(-last, last);
    MixtureRatio.Edge edge = ratio.edge(0.5);
    for (long i = 0; i < last; i++) {
      double x = ratio.inverse((i + 1) * d);
      MixtureRatio.Edge next = ratio.edge(x);
      double base = edge.base(next);
      double mixed = edge.mixture(next, q);
      cells.add(-i - 1, base, mixed);
      cells.add(i, x > cut ? edge.mixture(ratio.edge(cut), q) : mixed, base);
      edge = next;
    }
    cells.add(0, atom(), atom());
  }
}
