/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

/**
 * The Laplace mechanism: under P the loss is t with probability 1/2, -t with probability e^-t/2,
 * and has the density e^{(l-t)/2}/4 between.
 *
 * <p>\(M(z) = E_P[e^{zL}] = \frac{z+1}{2z+1} e^{zt} + \frac{z}{2z+1} e^{-(z+1)t}\) (Mironov 2017,
 * arXiv 1702.07476, proposition 6). The distribution of the loss is the same in both directions.
 *
 * @param t sensitivity over the scale of the noise, the largest loss
 */
public record LaplacePair(double t) implements DominatingPair {

  /** For larger ct, e^{-(2c+1)t} is below the unit roundoff. */
  private static final double LARGE = 40;

  @Override
  public Cumulant cumulant(double c) {
    double w = 2 * c + 1;
    if (c * t > LARGE) {
      double u = (c + 1) * w;
      return new Cumulant(c * t + Math.log((c + 1) / w), t - 1 / u, (4 * c + 3) / (u * u));
    }
    // With N = (2c+1)(M-1) all terms of N, N' and N'' are positive.
    double up = Math.expm1(c * t);
    double down = Math.expm1(-(c + 1) * t);
    double first = curved(c * t);
    double second = curved(-(c + 1) * t);
    double n = (c + 1) * first + c * second;
    double n1 = first + second + t * ((c + 1) * up - c * down);
    double n2 = 2 * t * (up - down) + t * t * ((c + 1) * (1 + up) + c * (1 + down));
    double m = 1 + n / w;
    double mean = (n1 / w - 2 * n / (w * w)) / m;
    double square = (n2 / w - 4 * n1 / (w * w) + 8 * n / (w * w * w)) / m;
    return new Cumulant(Math.log1p(n / w), mean, Math.max(square - mean * mean, Double.MIN_NORMAL));
  }

  /** e^x - 1 - x. */
  private static double curved(double x) {
    if (Math.abs(x) > 0.5) {
      return Math.expm1(x) - x;
    }
    double term = x * x / 2;
    double sum = term;
    for (int k = 3; k <= 18; k++) {
      term *= x / k;
      sum += term;
    }
    return sum;
  }

  @Override
  public TiltedLoss tilt(double c) {
    return new Tilted(c, t, cumulant(c));
  }

  @Override
  public double highestLoss() {
    return t;
  }

  @Override
  public double massAtHighestLoss() {
    return 0.5;
  }

  @Override
  public HockeyStick hockeyStick() {
    return this::single;
  }

  /** \(\delta = 1 - e^{(\varepsilon - t)/2}\) up to t. */
  private HockeyStick.Point single(double epsilon) {
    if (!(epsilon < t)) {
      return HockeyStick.Point.ZERO;
    }
    double half = (epsilon - t) / 2;
    double delta = -Math.expm1(half);
    return HockeyStick.Point.of(
        Math.log(delta),
        -0.5 * Math.exp(half) / delta,
        0x1p-50 * (1 + Math.exp(half) * (epsilon + t) / delta));
  }

  @Override
  public void discretize(ConnectTheDots cells, double c) {
    double d = cells.spacing();
    long first = cells.index(-t);
    long last = cells.index(t);
    cells.requireFeasible(first, last);
    for (long i = first; i <= last; i++) {
      double left = Math.max(-t, i * d);
      double right = Math.min(t, (i + 1) * d);
      double half = (right - left) / 2;
      cells.add(
          i,
          0.5 * Math.exp((left - t) / 2) * Math.expm1(half),
          -0.5 * Math.exp(-(left + t) / 2) * Math.expm1(-half));
    }
    cells.add(first, 0.5 * Math.exp(-t), 0.5);
    cells.add(last, 0.5, 0.5 * Math.exp(-t));
  }

  /** The tilted distribution, whose characteristic function is M(c + is)/M(c). */
  private record Tilted(double c, double t, Cumulant cumulant) implements TiltedLoss {

    @Override
    public void addLogPhi(double step, int from, int to, double count, double[] re, double[] im) {
      boolean large = c * t > LARGE;
      Complex atReal = large ? Complex.ZERO : excess(0);
      for (int k = from; k < to; k++) {
        double s = k * step;
        double x;
        double y;
        double turn = s * cumulant.mean();
        if (large) {
          // (z+1)/(2z+1) relative to its value at c; the rest is a turn by t.
          Complex ratio = weight(s).dividedBy(weight(0));
          x = ratio.re() - 1;
          y = ratio.im();
          turn -= s * t;
        } else {
          Complex difference = excess(s).minus(atReal);
          x = difference.re() / (1 + atReal.re());
          y = difference.im() / (1 + atReal.re());
        }
        re[k] += count * TiltedLoss.logModulus(x, y);
        im[k] += count * Math.IEEEremainder(Math.atan2(y, 1 + x) - turn, 2 * Math.PI);
      }
    }

    /** (z+1)/(2z+1). */
    private Complex weight(double s) {
      return new Complex(c + 1, s).dividedBy(new Complex(2 * c + 1, 2 * s));
    }

    /** M(z) - 1 = ((z+1) h(zt) + z h(-(z+1)t))/(2z+1), h(w) = e^w - 1 - w. */
    private Complex excess(double s) {
      Complex z = new Complex(c, s);
      Complex next = new Complex(c + 1, s);
      Complex up = next.times(z.times(t).curvedExponential());
      Complex down = z.times(next.times(-t).curvedExponential());
      return up.plus(down).dividedBy(new Complex(2 * c + 1, 2 * s));
    }

    /**
     * For |L| &lt;= t: E cos(sD), D the difference of two copies, |D| &lt;= 2t, by cos y &lt;= 1 -
     * y^2/2 + y^4/24 and, up to s = pi/(2t), by cos y &lt;= 1 - 2 y^2/pi^2; and for every s by the
     * moduli of both terms of M, the first of which falls with s while the second stays below
     * e^{-(c+1)t}/2.
     */
    @Override
    public double logModulusBound(double lowest, double highest) {
      double logM = cumulant.value();
      double w = 2 * c + 1;
      double modulus =
          Math.hypot(c + 1, lowest) / Math.hypot(w, 2 * lowest) * Math.exp(c * t - logM)
              + 0.5 * Math.exp(-(c + 1) * t - logM);
      double square = modulus * modulus;
      double variance = 0.999 * cumulant.variance();
      if (highest < Double.POSITIVE_INFINITY) {
        square = Math.min(square, Math.max(quartic(lowest, variance), quartic(highest, variance)));
      }
      if (highest * t <= Math.PI / 2) {
        square = Math.min(square, 1 - 4 / (Math.PI * Math.PI) * lowest * lowest * variance);
      }
      return square >= 1 ? 0 : 0.5 * Math.log(Math.max(square, 1e-300));
    }

    private double quartic(double s, double variance) {
      return 1 - s * s * variance * (1 - s * s * t * t / 3);
    }

    @Override
    public double edgeError() {
      return 0;
    }

    @Override
    public double costAt(double s) {
      return 30;
    }
  }

  /** A complex number. */
  private record Complex(double re, double im) {

    static final Complex ZERO = new Complex(0, 0);

    Complex plus(Complex other) {
      return new Complex(re + other.re, im + other.im);
    }

    Complex minus(Complex other) {
      return new Complex(re - other.re, im - other.im);
    }

    Complex times(double factor) {
      return new Complex(re * factor, im * factor);
    }

    Complex times(Complex other) {
      return new Complex(re * other.re - im * other.im, re * other.im + im * other.re);
    }

    Complex dividedBy(Complex other) {
      double square = other.re * other.re + other.im * other.im;
      return new Complex(
          (re * other.re + im * other.im) / square, (im * other.re - re * other.im) / square);
    }

    /** e^w - 1 - w. */
    Complex curvedExponential() {
      if (Math.hypot(re, im) > 0.5) {
        double sine = Math.sin(im / 2);
        double growth = Math.exp(re);
        return new Complex(
            Math.expm1(re) * Math.cos(im) - 2 * sine * sine - re, growth * Math.sin(im) - im);
      }
      Complex term = times(this).times(0.5);
      Complex sum = term;
      for (int k = 3; k <= 18; k++) {
        term = term.times(this).times(1.0 / k);
        sum = sum.plus(term);
      }
      return sum;
    }
  }
}
