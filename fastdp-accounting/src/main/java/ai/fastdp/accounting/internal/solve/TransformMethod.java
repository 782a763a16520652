/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.Optional;

/**
 * The tilted discretization, composed by FFT: for few steps with a spiky loss, whose characteristic
 * function decays too slowly to be integrated.
 *
 * <p>This class chooses the grids of a {@link TiltedFft}.
 */
public final class TransformMethod implements CompositionMethod {

  static final String NAME = "tilted_fft";

  /** Powers of two only: for other lengths the library's tables are six times the data. */
  private static final int MAX_LENGTH = 1 << 22;

  private static final int COARSE_LENGTH = 1 << 17;
  private static final int QUICK_LENGTH = 1 << 18;

  /** Length of the last transform if the width aimed at is out of reach. */
  private static final int WIDE_LENGTH = 1 << 19;

  /** Rounding errors grow with the steps; with more of them, other methods are asked first. */
  private static final long MAX_STEPS = 2_000_000;

  /** Skip the longest transform if bounds would still be this many times wider than aimed at. */
  private static final double MAX_EXCESS_WIDTH = 100;

  /** The aim of the search: the relative width of the bounds of epsilon. */
  private static final double WIDTH = 5e-7;

  /** Below this epsilon, absolute accuracy counts. */
  private static final double SMALL = 1e-3;

  /** Fraction of delta that is spent on cutting the tail of P. */
  private static final double LOST = 1e-11;

  private static final double MIN_DELTA = 1e-250;

  /** log delta below which masses underflow. */
  private static final double MIN_LOG_DELTA = -575;

  private static final int ROUNDS = 4;

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public Optional<EpsilonInterval> epsilon(
      LossComposition losses, double logDelta, Effort effort, double knownWidth) {
    if (declines(losses, effort)) {
      return Optional.empty();
    }
    return Optional.of(
        effort == Effort.QUICK
            ? search(losses, logDelta, 0, QUICK_LENGTH)
            : search(losses, logDelta, knownWidth, COARSE_LENGTH));
  }

  /** Many steps are a last resort, and only they: few were tried before. */
  private static boolean declines(LossComposition losses, Effort effort) {
    return losses.steps() > MAX_STEPS != (effort == Effort.LAST_RESORT);
  }

  private static EpsilonInterval search(
      LossComposition composition, double logDelta, double knownWidth, int firstLength) {
    double delta = Math.exp(logDelta);
    if (delta < MIN_DELTA) {
      throw new NumericalLimitException("delta is too small for the discretized loss");
    }
    double lost = delta * LOST;
    LossComposition losses = composition.restricted(lost);
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
    for (int round = 0; round < ROUNDS; round++) {
      TiltedFft fft;
      try {
        fft = TiltedFft.near(losses, epsilon, logDelta, spacing, length, lost);
      } catch (NumericalLimitException e) {
        if (round > 0) {
          break; // the bounds found so far are valid
        }
        throw e;
      }
      EpsilonInterval found = fft.epsilon(delta, ceiling);
      if (found.width() < result.width()) {
        result = found;
      }
      double target = WIDTH * Math.max(found.estimate(), SMALL);
      if (found.width() <= 1.8 * target || fft.length() == MAX_LENGTH) {
        break;
      }
      double finest = (double) fft.length() / MAX_LENGTH;
      double narrowest = found.width() * fft.widthFactor(finest);
      if (narrowest > knownWidth || outOfReach) {
        break;
      }
      outOfReach = narrowest > MAX_EXCESS_WIDTH * target;
      if (outOfReach) {
        length = WIDE_LENGTH;
      } else {
        spacing = fft.spacing() * Math.sqrt(target / found.width());
        length = MAX_LENGTH;
      }
      epsilon = found.estimate() > 0 ? found.estimate() : epsilon;
    }
    return result;
  }

  @Override
  public Optional<DeltaBracket> delta(LossComposition losses, double epsilon, Effort effort) {
    return near(losses, epsilon, effort).map(fft -> fft.delta(epsilon));
  }

  /** Returns a transform that is good near one epsilon; its bounds hold in all of its window. */
  static Optional<TiltedFft> near(LossComposition composition, double epsilon, Effort effort) {
    if (declines(composition, effort)) {
      return Optional.empty();
    }
    double logDelta = Math.min(-1e-3, SaddlePoint.forEpsilon(composition, epsilon).logDelta());
    if (logDelta < MIN_LOG_DELTA) {
      throw new NumericalLimitException("delta is too small for the discretized loss");
    }
    double lost = Math.exp(logDelta) * LOST;
    int length = effort == Effort.QUICK ? QUICK_LENGTH : MAX_LENGTH / 2;
    return Optional.of(
        TiltedFft.near(composition.restricted(lost), epsilon, logDelta, 0, length, lost));
  }
}
