/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.loss.LossCells;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import org.jtransforms.fft.DoubleFFT_1D;

/**
 * delta(epsilon) of few compositions, from a discretized and exponentially tilted loss
 * distribution.
 *
 * <p>Tilting by e^{cl} turns the tail that matters into the bulk, so that rounding errors of the
 * transform are relative to delta instead of to 1. The distribution on the grid dominates the true
 * one, so its delta is an upper bound.
 *
 * <p>For the lower bound: moving to the grid adds to the loss L of all steps a noise N that is,
 * given L, a sum of independent terms of range d with E[e^{-N} | L] = 1. Then delta rises by the
 * Jensen gap of \((1 - e^{\varepsilon - L})_+\), which is there only if epsilon lies between L and
 * L + N. Hoeffding's inequality bounds it, with the sub-Gaussian parameter \(v = T d^2/4\), by a
 * multiple of the law of L + N near epsilon, which is at hand.
 */
public final class TiltedFft {

  /** Powers of two only: for other lengths the library's tables are six times the data. */
  private static final int MAX_LENGTH = 1 << 22;

  /** Natural logarithm of the precision that may be given up for a shorter period. */
  private static final double MOST_LOSS = 3;

  private static final int COARSE_LENGTH = 1 << 17;
  private static final int QUICK_LENGTH = 1 << 18;

  /** Where the width aimed at cannot be had. */
  private static final int WIDE_LENGTH = 1 << 19;

  /** So many times the width aimed at is not worth the longest transform. */
  private static final double OUT_OF_REACH = 100;

  private static final double TOLERANCE = 3e-9;

  /** Where the noise of the grid is larger, Jensen's gap is not bounded. */
  private static final double MOST_DEVIATION = 0.1;

  /** Share of delta within which the noise of the grid may exceed what is allowed for. */
  private static final double EXCEEDED = 1e-6;

  /** Grid points between known sums; divides every length. */
  private static final int BLOCK = 1 << 11;

  /** Smaller sums may have lost terms that underflow. */
  private static final double LEAST_SUM = 1e-270;

  /** Relative width of epsilon that is aimed at. */
  private static final double WIDTH = 5e-7;

  private final LossComposition losses;
  private final double c;
  private final double d;
  private final double[] mass;
  private final long firstIndex;
  private final Suffix[] suffixes;
  private final double logScale;
  private final Window window;

  /** A bound of what the window does not show. */
  private final double missing;

  private final double roundingPerRootLength;

  /** The tilted mass of sums of which some step was rounded up without keeping the mass of Q. */
  private final double roundedUp;

  /** The same for steps that were moved up by more than a cell. */
  private final double movedFar;

  /** How many steps have losses that were rounded up so. */
  private final double movedSteps;

  private TiltedFft(
      LossComposition losses,
      double c,
      double d,
      int n,
      double epsilon,
      Window window,
      double missing) {
    this.losses = losses;
    this.c = c;
    this.d = d;
    this.missing = missing;
    this.window = window;
    double[] spectrum = new double[0];
    double scaleSum = 0;
    double largest = 0;
    double roundedUpSum = 0;
    double movedFarSum = 0;
    double movedSum = 0;
    DoubleFFT_1D fft = new DoubleFFT_1D(n);
    for (LossComposition.Part part : losses.parts()) {
      // Scaled so that no e^{cl} overflows; then normalised exactly.
      double scale = -part.pair().cumulant(c).value();
      LossCells cells = new LossCells(c, d, scale, n);
      part.pair().discretize(cells, c);
      double[] one = cells.masses();
      double total = 0;
      for (double value : one) {
        total += value;
      }
      double squares = 0;
      for (int j = 0; j < n; j++) {
        one[j] /= total;
        squares += one[j] * one[j];
      }
      largest = Math.max(largest, Math.sqrt(squares));
      roundedUpSum += part.count() * (cells.roundedUp() / total);
      movedFarSum += part.count() * (cells.movedFar() / total);
      movedSum += cells.roundedUp() > 0 ? part.count() : 0;
      scaleSum += part.count() * (Math.log(total) - scale);
      fft.realForward(one);
      power(one, part.count());
      if (spectrum.length == 0) {
        spectrum = one;
      } else {
        multiply(spectrum, one);
      }
    }
    fft.realInverse(spectrum, true);
    mass = spectrum;
    logScale = scaleSum;
    roundedUp = roundedUpSum;
    movedFar = movedFarSum;
    movedSteps = movedSum;
    requireNumber(logScale + roundedUp + movedFar + Arrays.stream(mass).sum());
    firstIndex = (long) Math.floor((epsilon - window.below()) / d);
    suffixes = suffixes();
    roundingPerRootLength =
        0x1p-53 * 6 * Math.log(n) / Math.log(2) * (losses.steps() + 2) * largest;
  }

  /**
   * Bounds of epsilon where delta falls to e^{logDelta}; the tail of P may be cut.
   *
   * @param knownWidth an interval that is not narrower than this is not worth much effort
   */
  public static EpsilonInterval epsilon(
      LossComposition composition, double logDelta, double knownWidth) {
    return epsilon(composition, logDelta, knownWidth, COARSE_LENGTH);
  }

  /** The same at a tenth of the cost or less: the upper bound is a few parts in 1e5 too high. */
  static EpsilonInterval quickEpsilon(LossComposition composition, double logDelta) {
    return epsilon(composition, logDelta, 0, QUICK_LENGTH);
  }

  private static EpsilonInterval epsilon(
      LossComposition composition, double logDelta, double knownWidth, int firstLength) {
    double delta = Math.exp(logDelta);
    if (delta < 1e-250) {
      throw new NumericalLimitException("delta is too small for the discretized loss");
    }
    LossComposition losses = composition.restricted(delta * 1e-11);
    double ceiling = Chernoff.epsilon(losses, logDelta);
    if (ceiling <= 0) {
      return EpsilonInterval.ZERO;
    }
    double start = ContourMethod.start(losses, ceiling, logDelta);
    double epsilon = start > 0.5 * ceiling ? start : ceiling / 2; // NaN where c is too large
    EpsilonInterval result = new EpsilonInterval(0, ceiling, ceiling);
    double spacing = 0; // as fine as the length allows
    int length = firstLength;
    boolean outOfReach = false;
    for (int round = 0; round < 4; round++) {
      TiltedFft fft;
      try {
        fft = around(losses, epsilon, logDelta, spacing, length, delta * 1e-11);
      } catch (NumericalLimitException e) {
        if (round > 0) {
          break; // what was found so far is valid
        }
        throw e;
      }
      EpsilonInterval found = fft.solve(ceiling, delta);
      if (found.width() < result.width()) {
        result = found;
      }
      double target = WIDTH * Math.max(found.estimate(), 1e-3);
      if (found.width() <= 1.8 * target || fft.mass.length == MAX_LENGTH) {
        break;
      }
      double finest = (double) fft.mass.length / MAX_LENGTH;
      double narrowest = fft.expectedWidth(found, finest);
      if (narrowest > knownWidth || outOfReach) {
        break;
      }
      outOfReach = narrowest > OUT_OF_REACH * target;
      if (outOfReach) {
        length = WIDE_LENGTH;
      } else {
        spacing = fft.d * Math.sqrt(target / found.width());
        length = MAX_LENGTH;
      }
      epsilon = found.estimate() > 0 ? found.estimate() : epsilon;
    }
    return result;
  }

  /** The width to be expected with a spacing so many times this one. */
  private double expectedWidth(EpsilonInterval found, double factor) {
    // That of the shifted bound goes with the spacing, that of Jensen's gap with its square.
    boolean wide = deviation() * factor > MOST_DEVIATION;
    return found.width() * (wide ? factor : factor * factor);
  }

  /** The root of the sub-Gaussian parameter of the noise of the grid. */
  private double deviation() {
    return Math.sqrt(losses.steps()) * d / 2;
  }

  /** Bounds of delta at one epsilon. */
  static DeltaBracket delta(LossComposition composition, double epsilon) {
    return delta(composition, epsilon, MAX_LENGTH / 2);
  }

  /** The same at a tenth of the cost. */
  static DeltaBracket quickDelta(LossComposition composition, double epsilon) {
    return delta(composition, epsilon, QUICK_LENGTH);
  }

  private static DeltaBracket delta(LossComposition composition, double epsilon, int length) {
    return forDelta(composition, epsilon, length).bracket(epsilon);
  }

  /** A short transform that is good near one epsilon; its bounds hold in all of its window. */
  static TiltedFft quick(LossComposition composition, double epsilon) {
    return forDelta(composition, epsilon, QUICK_LENGTH);
  }

  private static TiltedFft forDelta(LossComposition composition, double epsilon, int length) {
    double logDelta = Math.min(-1e-3, Saddle.forEpsilon(composition, epsilon).logDelta());
    if (logDelta < -575) {
      throw new NumericalLimitException("delta is too small for the discretized loss");
    }
    double lost = Math.exp(logDelta) * 1e-11;
    return around(composition.restricted(lost), epsilon, logDelta, 0, length, lost);
  }

  /** Bounds of delta at one epsilon of the window. */
  DeltaBracket bracket(double epsilon) {
    double value = delta(epsilon);
    requireNumber(value);
    double rounding = rounding(epsilon);
    return new DeltaBracket(
        value - 1.1 * gap(epsilon) - folded(epsilon) - rounding, value, value + missing + rounding);
  }

  /** What is missing, and what was folded back from above and is too much. */
  private double folded(double epsilon) {
    double further = Double.POSITIVE_INFINITY;
    for (Folding folding : window.foldings()) {
      double far = (folding.c() - c) * window.period();
      further =
          Math.min(
              further,
              Math.exp(folding.cumulant() - folding.c() * epsilon - far) / -Math.expm1(-far));
    }
    return missing + further;
  }

  private static TiltedFft around(
      LossComposition losses,
      double epsilon,
      double logDelta,
      double spacing,
      int maxLength,
      double cutMass) {
    double safety = -Math.log(TOLERANCE) - logDelta;
    double saddle = Saddle.forEpsilon(losses, epsilon).c();
    // Left of the saddle point the sum folds back less, so that a shorter period will do.
    Window window = Window.of(losses, saddle, epsilon, safety);
    double lowest = window.height();
    for (double factor = 0.9; factor > 0.2; factor *= 0.9) {
      Window tried = Window.of(losses, saddle * factor, epsilon, safety);
      if (tried.period() >= window.period() || tried.height() > lowest + MOST_LOSS) {
        break;
      }
      window = tried;
    }
    double c = window.c();
    double period = window.period();
    double points = period / spacing;
    int n = 1 << 12;
    while (n < points && n < maxLength) {
      n *= 2;
    }
    double d = period / n;
    double wrapped = Math.exp(-c * period) / -Math.expm1(-c * period);
    return new TiltedFft(
        losses, c, d, n, epsilon, window, 2 * wrapped + 4 * Math.exp(-safety) + cutMass);
  }

  /**
   * The losses above epsilon plus the period add at most \(e^{K(c') - c' \varepsilon - (c' - c)
   * H}\) to delta(epsilon), H the period, as they are read with a factor \(e^{cH}\).
   *
   * @param c above the tilt
   * @param cumulant K there
   */
  private record Folding(double c, double cumulant) {}

  /**
   * The range of sums that has to be told apart.
   *
   * @param c the tilt
   * @param above the sum is read up to epsilon plus this
   * @param period length of the range
   * @param height log of the tilted mass that rounding errors are relative to
   * @param foldings bounds of what is folded back
   */
  private record Window(
      double c, double above, double period, double height, List<Folding> foldings) {

    double below() {
      return period - 1.01 * above;
    }

    static Window of(LossComposition losses, double c, double epsilon, double safety) {
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
          break; // those so far will do
        }
      }
      return new Window(
          c,
          above,
          1.02 * Math.max(folded, Math.max(above, safety / c)),
          losses.cumulant(c).value() - c * epsilon,
          foldings);
    }
  }

  /** So that nothing is compared with NaN. */
  private static void requireNumber(double value) {
    if (!(Math.abs(value) < Double.POSITIVE_INFINITY)) {
      throw new NumericalLimitException("discretized loss is out of range");
    }
  }

  private EpsilonInterval solve(double ceiling, double delta) {
    double estimate = root(ceiling, x -> known(x, delta) - delta).high();
    double upper = root(ceiling, x -> known(x, delta) + missing + rounding(x) - delta).high();
    double lower = Math.max(lower(ceiling, delta, estimate), shiftedLower(ceiling, delta));
    return EpsilonInterval.of(lower, estimate, upper);
  }

  /**
   * A lower bound that needs no fine grid: the noise N of the grid is above v/2 + u with
   * probability at most \(e^{-u^2/2v}\), so \(\delta(\varepsilon - v/2 - u)\) is at least delta on
   * the grid at epsilon, less that probability.
   */
  private double shiftedLower(double ceiling, double delta) {
    double v = deviation() * deviation();
    double exceeded = delta * EXCEEDED;
    double shift = v / 2 + Math.sqrt(-2 * v * Math.log(exceeded));
    DoubleUnaryOperator counted =
        x -> known(x, delta) - exceeded - folded(x) - rounding(x) - allRoundedUp(x) - delta;
    double lower = tried(counted, ceiling) - shift;
    if (roundedUp > 0) {
      // Or every step that may have been moved up is moved back.
      DoubleUnaryOperator moved =
          x ->
              known(x, delta)
                  - exceeded
                  - folded(x)
                  - rounding(x)
                  - countedInFull(x, movedFar)
                  - delta;
      lower = Math.max(lower, tried(moved, ceiling) - shift - movedSteps * d);
    }
    return lower * (1 - 0x1p-50);
  }

  /** Where a falling function is not negative; negative infinity if that is not known. */
  private double tried(DoubleUnaryOperator f, double ceiling) {
    double low = root(ceiling, f).low();
    return f.applyAsDouble(low) >= 0 ? low : Double.NEGATIVE_INFINITY;
  }

  /** Sums with a step that was moved up without keeping its mass under Q count in full. */
  private double allRoundedUp(double epsilon) {
    return countedInFull(epsilon, roundedUp + movedFar);
  }

  private double countedInFull(double epsilon, double tiltedMass) {
    return tiltedMass == 0 ? 0 : Math.exp(logScale - c * epsilon) * tiltedMass;
  }

  /** The error terms are those of the answer, so it is tried with them. */
  private double lower(double ceiling, double delta, double estimate) {
    double at = estimate;
    for (int round = 0; round < 6; round++) {
      double error = 1.02 * (gap(at) + folded(at)) + rounding(at);
      double low = root(ceiling, x -> known(x, delta) - error - delta).low();
      if (low > 0 && delta(low) - gap(low) - folded(low) - rounding(low) >= delta) {
        return low;
      }
      at = low;
    }
    return 0;
  }

  /** delta, or NaN where the rounding error of the transform alone may be as large as that. */
  private double known(double epsilon, double delta) {
    return noise(epsilon) <= delta ? delta(epsilon) : Double.NaN;
  }

  /**
   * Where a falling function was seen not to be positive, and a point below.
   *
   * @param low it is positive or unknown here, or this is 0
   * @param high it is not positive here, or this is the ceiling
   */
  private record Bracket(double low, double high) {}

  /** Bisection with secant steps; what is NaN counts as positive. */
  private Bracket root(double ceiling, DoubleUnaryOperator f) {
    double low = Math.max(0, (firstIndex + 1) * d);
    double high = Math.min(ceiling, (firstIndex + mass.length - 1) * d);
    double lowValue = f.applyAsDouble(low);
    if (lowValue <= 0) {
      return new Bracket(0, low);
    }
    double highValue = f.applyAsDouble(high);
    if (!(highValue <= 0)) {
      return new Bracket(high, ceiling);
    }
    for (int i = 0; i < 80 && high - low > 1e-12 * high; i++) {
      double middle = (low + high) / 2;
      double secant = low + (high - low) * lowValue / (lowValue - highValue);
      if (i % 3 != 2 && highValue < 0 && high - low < 0.3 && secant > low) {
        middle = Math.max(low + 1e-3 * (high - low), Math.min(high - 1e-3 * (high - low), secant));
      }
      double value = f.applyAsDouble(middle);
      if (value <= 0) {
        high = middle;
        highValue = value;
      } else {
        low = middle;
        lowValue = value;
      }
    }
    return new Bracket(low, high);
  }

  /** delta of the distribution on the grid; NaN if epsilon is too far from where that is known. */
  private double delta(double epsilon) {
    long first = (long) Math.floor(epsilon / d) + 1 - firstIndex;
    if (first >= mass.length) {
      return 0;
    }
    if (first < 0) {
      return Double.NaN; // below the window
    }
    int from = (int) first;
    int block = from / BLOCK;
    Suffix suffix = suffix(from, (block + 1) * BLOCK, suffixes[block + 1]);
    double point = (firstIndex + from) * d;
    // 1 - e^{epsilon - l} = (1 - e^{epsilon - point}) e^{point - l} + (1 - e^{point - l})
    double sum = suffix.shrunk() * -Math.expm1(epsilon - point) + suffix.hockey();
    return Math.abs(sum) < LEAST_SUM ? Double.NaN : sum * Math.exp(logScale - c * point);
  }

  /**
   * Sums over all grid points l from one point l_j of the window on, of mass times e^{-c (l - l_j)}
   * and a factor.
   *
   * @param shrunk the factor is e^{l_j - l}
   * @param hockey the factor is 1 - e^{l_j - l}
   */
  private record Suffix(double shrunk, double hockey) {}

  /** The sums at the first point of every block of the window, and at its end. */
  private Suffix[] suffixes() {
    int blocks = mass.length / BLOCK;
    Suffix[] all = new Suffix[blocks + 1];
    all[blocks] = new Suffix(0, 0);
    for (int block = blocks - 1; block >= 0; block--) {
      all[block] = suffix(block * BLOCK, (block + 1) * BLOCK, all[block + 1]);
    }
    return all;
  }

  /** The sums at one point, of which those at a later point are known. */
  private Suffix suffix(int from, int to, Suffix beyond) {
    int n = mass.length;
    double decay = Math.exp(-c * d);
    double shrink = Math.exp(-(c + 1) * d);
    double rise = -Math.expm1(-d);
    double shrunk = 0;
    double hockey = 0;
    int index = (int) Math.floorMod(firstIndex + to, (long) n);
    for (int i = to; i > from; i--) {
      index = (index == 0 ? n : index) - 1;
      hockey = decay * (hockey + rise * shrunk);
      shrunk = mass[index] + shrink * shrunk;
    }
    double distance = (to - from) * d;
    return new Suffix(
        shrunk + Math.exp(-(c + 1) * distance) * beyond.shrunk(),
        hockey
            + Math.exp(-c * distance)
                * (beyond.hockey() - Math.expm1(-distance) * beyond.shrunk()));
  }

  /**
   * The sums have non-negative terms only, apart from the noise of the transform: every step of
   * their recurrence errs by a few units in the last place, and so does every block.
   */
  private double rounding(double epsilon) {
    double recurrence =
        0x1p-49 * (BLOCK + (double) mass.length / BLOCK) + 0x1p-51 * (c + 1) * d * mass.length;
    return noise(epsilon)
        + Math.abs(delta(epsilon))
            * ((1 + c) * losses.steps() * 0x1p-51 / (narrowest() * d) + recurrence);
  }

  /** What the rounding errors of the transform, relative to the tilted mass, do to delta. */
  private double noise(double epsilon) {
    return Math.exp(logScale - c * epsilon)
        * Math.sqrt(1 / -Math.expm1(-2 * c * d))
        * roundingPerRootLength;
  }

  /** The smallest scale: cells are d times that wide where rounding matters most. */
  private double narrowest() {
    return losses.parts().stream().mapToDouble(part -> part.pair().scale()).min().orElse(1);
  }

  /**
   * A bound of how much moving to the grid has raised delta.
   *
   * <p>With x = L - epsilon it is the expectation of \((e^{-N-x}-1)_+\) for x &gt; 0 and of
   * \((1-e^{-N-x})_+\) for x &lt; 0. As \((e^y-1)_+ \le e^{ky-1}/(k-1)\) and \(y_+ \le
   * e^{ky-1}/k\), Hoeffding's \(E[e^{-kN}] \le e^{k^2v/2}\) and \(E[e^{kN}] \le e^{k^2v/2+kv/2}\)
   * with k = 1 + v^{-1/2} + |x|/v bound both by a multiple of \(e^{-(1-h)x^2/2v}\), h small. By
   * Jensen's inequality that is at most a multiple of the mean over N of a normal density at x + N,
   * because N has variance at most v and mean in [0, v/2].
   *
   * <p>Sums with a step of which nothing is known but that it was moved up count in full.
   */
  private double gap(double epsilon) {
    double root = deviation();
    double v = root * root;
    if (root > MOST_DEVIATION) {
      return Double.POSITIVE_INFINITY;
    }
    double h = root;
    // e^{k0^2 v/2 - 1}/(k0 - 1) with k0 = 1 + 1/root, and e^{k v/2} of the second case, with
    // |x|/2 <= h x^2/(2v) + v/(8h)
    double factor =
        root * Math.exp((1 + root) * (1 + root) / 2 - 1 + (1 + root) * root / 2 + v / (8 * h));
    double kernel = v / (1 - h);
    // E[(x + N)^2] <= (1 + h) x^2 + v + (1 + 1/h) m^2, m <= v/2
    double wide = kernel * (1 + h);
    factor *= Math.exp((v + (1 + 1 / h) * v * v / 4) / (2 * wide));
    double reach = 13 * Math.sqrt(wide);
    double sum = 0;
    int n = mass.length;
    long from = (long) Math.floor((epsilon - reach) / d);
    long to = (long) Math.ceil((epsilon + reach) / d);
    for (long i = from; i <= to; i++) {
      double x = i * d - epsilon;
      double p = Math.max(0, mass[(int) Math.floorMod(i, (long) n)]);
      sum += p * Math.exp(logScale - c * i * d - x * x / (2 * wide));
    }
    double gap = factor * sum + allRoundedUp(epsilon);
    return gap >= 0 ? gap : Double.POSITIVE_INFINITY; // NaN says nothing
  }

  private static void power(double[] spectrum, long exponent) {
    int n = spectrum.length;
    spectrum[0] = Math.pow(spectrum[0], (double) exponent);
    if (n % 2 == 0) {
      spectrum[1] = Math.pow(spectrum[1], (double) exponent);
    }
    for (int j = 2; j + 1 < n; j += 2) {
      double x = spectrum[j];
      double y = spectrum[j + 1];
      double a = 1;
      double b = 0;
      for (long e = exponent; e > 0; e >>= 1) {
        if ((e & 1) == 1) {
          double t = a * x - b * y;
          b = a * y + b * x;
          a = t;
        }
        double t = x * x - y * y;
        y = 2 * x * y;
        x = t;
      }
      spectrum[j] = a;
      spectrum[j + 1] = b;
    }
  }

  private static void multiply(double[] product, double[] factor) {
    product[0] *= factor[0];
    product[1] *= factor[1];
    for (int j = 2; j + 1 < product.length; j += 2) {
      double a = product[j] * factor[j] - product[j + 1] * factor[j + 1];
      product[j + 1] = product[j] * factor[j + 1] + product[j + 1] * factor[j];
      product[j] = a;
    }
  }
}
