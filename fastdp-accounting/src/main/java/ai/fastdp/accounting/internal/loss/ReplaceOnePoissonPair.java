/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import ai.fastdp.accounting.internal.numeric.GaussianHockeyStickTerm;
import ai.fastdp.accounting.internal.numeric.LogSum;
import java.util.List;

/**
 * The Poisson-sampled Gaussian mechanism when a record is replaced: P = (1-q) N(0, s^2) + q N(1,
 * s^2), Q = (1-q) N(0, s^2) + q N(-1, s^2), s relative to the largest norm of one contribution.
 *
 * <p>With r the ratio of P to N(0, s^2), \(L = \log r(x) - \log r(-x)\), which has the same
 * distribution under P as -L has under Q. That opposite contributions of the largest norm are the
 * worst is proven in docs/proofs/dominating-pairs.md; Lebeda, Regehr, Kamath, Steinke 2024 (arXiv
 * 2405.20769) study the pair.
 *
 * @param ratio q and s
 * @param cut P is restricted to x &lt;= cut; what lies beyond has to be accounted for by the caller
 */
public record ReplaceOnePoissonPair(MixtureRatio ratio, double cut)
    implements QuadraturePair, QuadraturePair.Branch {

  public ReplaceOnePoissonPair(double sampleRate, double sigma) {
    this(new MixtureRatio(sampleRate, sigma), Double.POSITIVE_INFINITY);
  }

  @Override
  public ReplaceOnePoissonPair restricted(double lostMass) {
    return new ReplaceOnePoissonPair(ratio, ratio.quantileBound(lostMass));
  }

  @Override
  public double scale() {
    return ratio.sigma();
  }

  @Override
  public HockeyStick hockeyStick() {
    return new HockeyStick() {
      @Override
      public Point at(double epsilon) {
        return single(epsilon);
      }

      @Override
      public double rounding(double epsilon) {
        return singleRounding(epsilon);
      }
    };
  }

  @Override
  public List<Branch> branches() {
    return List.of(this);
  }

  @Override
  public void at(double x, Node node) {
    double logRatio = ratio.log(x);
    double mirrored = ratio.log(-x);
    node.logP = ratio.logBase(x) + logRatio;
    node.loss = logRatio - mirrored;
    node.slope = ratio.logDerivative(x, logRatio) + ratio.logDerivative(-x, mirrored);
  }

  @Override
  public double leftEnd(double c) {
    return -1 - 11 * ratio.sigma();
  }

  /** The peak of the tilted density is where x = (1+c) w(x) + c w(-x), w(-x) at most w(0). */
  @Override
  public double rightEnd(double c) {
    return Math.min(cut, 1 + c + c * ratio.weightAtZero() + 11 * ratio.sigma());
  }

  /** Both ratios turn, in opposite directions, and one of them has a negative power. */
  @Override
  public double spacing(double c, double s) {
    return ratio.spacing(2 * s, c);
  }

  @Override
  public void discretize(ConnectTheDots cells, double c) {
    double q = ratio.sampleRate();
    double d = cells.spacing();
    Node node = new Node();
    at(leftEnd(c), node);
    long first = cells.index(node.loss);
    double right = rightEnd(c);
    at(right, node);
    long last = cells.index(node.loss) + 1;
    cells.requireFeasible(first, last);
    double x = inverse(first * d);
    MixtureRatio.Edge edge = ratio.edge(x);
    MixtureRatio.Edge mirrored = ratio.edge(-x);
    for (long i = first; i < last; i++) {
      x = Math.min(inverse((i + 1) * d), cut);
      MixtureRatio.Edge next = ratio.edge(x);
      MixtureRatio.Edge nextMirrored = ratio.edge(-x);
      cells.add(i, edge.mixture(next, q), nextMirrored.mixture(mirrored, q));
      edge = next;
      mirrored = nextMirrored;
    }
  }

  /** log A with A = e^{1/(2 s^2)} (1-q)/q, for which r(x) is proportional to A + e^{x/s^2}. */
  private double logOdds() {
    double q = ratio.sampleRate();
    return 1 / (2 * ratio.sigma() * ratio.sigma()) + Math.log1p(-q) - Math.log(q);
  }

  /** Returns the x at which the loss is l: \(x = s^2 (l/2 + h)\). */
  private double inverse(double l) {
    double loss = Math.abs(l);
    return Math.copySign(ratio.sigma() * ratio.sigma() * (loss / 2 + half(loss)), l);
  }

  /** \(h = \operatorname{asinh}(A \sinh(l/2))\), for l that are not negative. */
  private double half(double l) {
    double b = logOdds() + logSinh(l / 2);
    if (b < 300) {
      double v = Math.exp(b);
      return Math.log1p(v + v * v / (1 + Math.sqrt(1 + v * v)));
    }
    return b + Math.log(2);
  }

  private static double logSinh(double x) {
    return x > 1 ? x + Math.log(-Math.expm1(-2 * x) / 2) : Math.log(Math.sinh(x));
  }

  /**
   * Bounds how far rounding of h, of z = s (epsilon/2 + h) - 1/s and of 1/s moves epsilon: the
   * logarithm of A sinh(epsilon/2) has an error of a few units in the last place of its terms.
   */
  private double singleRounding(double epsilon) {
    double s = ratio.sigma();
    double q = ratio.sampleRate();
    double terms = 10 + 1 / s / s - Math.log(q) - Math.log1p(-q) + Math.abs(logSinh(epsilon / 2));
    double relative = epsilon == 0 ? 0 : Math.min(1, epsilon) * terms;
    return 0x1p-50 * (epsilon + relative + 1 / s / s);
  }

  /**
   * \(\delta = q \bar\Phi((x-1)/s) - (e^\varepsilon - 1)(1-q)\bar\Phi(x/s) - q e^\varepsilon
   * \bar\Phi((x+1)/s)\), x where the loss is epsilon. There, with h from {@link #half}, it is \(q
   * (1 - e^{-2h}) E((x-1)/s, 1/s) + q e^{-2h} E((x-1)/s, 2/s)\), E of {@link
   * GaussianHockeyStickTerm}.
   */
  private HockeyStick.Point single(double epsilon) {
    double s = ratio.sigma();
    double h = half(epsilon);
    double z = s * (epsilon / 2 + h) - 1 / s;
    GaussianHockeyStickTerm unsampled = GaussianHockeyStickTerm.of(z, 1 / s);
    GaussianHockeyStickTerm mirrored = GaussianHockeyStickTerm.of(z, 2 / s);
    double logUnsampled = Math.log(-Math.expm1(-2 * h));
    // h errs relatively; where it is large, exp(-2 h) does not count
    double error = 0x1p-49 * (1 + 40 / (1 + h));
    LogSum log = new LogSum();
    LogSum lower = new LogSum();
    LogSum upper = new LogSum();
    LogSum subtracted = new LogSum();
    if (h > 0) {
      log.add(logUnsampled + unsampled.log());
      lower.add(logUnsampled + unsampled.lower());
      upper.add(logUnsampled + unsampled.upper());
      subtracted.add(
          logUnsampled
              + unsampled.log()
              + Math.log(unsampled.subtracted())
              - Math.log(-Math.expm1(-epsilon)));
    }
    log.add(-2 * h + mirrored.log());
    lower.add(-2 * h + mirrored.lower());
    upper.add(-2 * h + mirrored.upper());
    subtracted.add(-2 * h + mirrored.log() + Math.log(mirrored.subtracted()));
    double logRate = Math.log(ratio.sampleRate());
    return new HockeyStick.Point(
        logRate + log.log(),
        -Math.exp(subtracted.log() - log.log()),
        logRate + lower.log() - error,
        logRate + upper.log() + error);
  }
}
