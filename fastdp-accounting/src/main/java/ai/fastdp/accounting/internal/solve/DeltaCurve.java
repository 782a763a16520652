/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.numeric.NumericalLimitException;
import java.util.Arrays;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Bounds of delta as a function of epsilon, for many epsilons: the integral or transform for one is
 * kept and answers for its neighborhood.
 */
public final class DeltaCurve {

  /**
   * The integral for another epsilon is used if its bounds of delta have at most this relative
   * width.
   */
  private static final double REUSABLE = 1e-10;

  /** Width of delta that does not show in a trade-off function, whose errors are as large. */
  private static final double INVISIBLE = 1e-7;

  private final LossComposition losses;
  private final boolean isClosed;
  private final boolean usesIntegrals;
  private final NavigableMap<Double, ContourLine> lines = new ConcurrentSkipListMap<>();
  private final AtomicReference<@Nullable TiltedFft> last = new AtomicReference<>();

  private DeltaCurve(LossComposition losses, boolean usesIntegrals) {
    this.losses = losses;
    this.usesIntegrals = usesIntegrals;
    isClosed = ClosedForm.of(losses).isPresent();
  }

  /** Returns a curve by contour integrals, for compositions that are {@link #isCheap}. */
  public static DeltaCurve precise(LossComposition losses) {
    return new DeltaCurve(losses, true);
  }

  /** Returns a curve by short transforms, whose bounds are wider. */
  public static DeltaCurve coarse(LossComposition losses) {
    return new DeltaCurve(losses, false);
  }

  /** Returns whether delta needs no transform at some epsilons, so that many more are cheap. */
  public static boolean isCheap(LossComposition losses, double... epsilons) {
    return Arrays.stream(epsilons)
        .mapToObj(epsilon -> LossSolver.delta(losses, epsilon, Effort.QUICK))
        .noneMatch(solved -> solved.method().equals(TransformMethod.NAME));
  }

  /** Bounds delta at one epsilon that is not negative. */
  public DeltaBracket at(double epsilon) {
    if (losses.isAtMost(epsilon)) {
      return DeltaBracket.ZERO;
    }
    Optional<DeltaBracket> found = Optional.empty();
    if (!isClosed && usesIntegrals) {
      found = NumericalLimitException.emptyIfThrown(() -> byIntegral(epsilon));
    }
    if (!isClosed && found.isEmpty()) {
      found = NumericalLimitException.emptyIfThrown(() -> byTransform(epsilon));
    }
    return found.orElseGet(() -> LossSolver.delta(losses, epsilon, Effort.QUICK).bounds());
  }

  private Optional<DeltaBracket> byIntegral(double epsilon) {
    for (Map.Entry<Double, ContourLine> near :
        Arrays.asList(lines.floorEntry(epsilon), lines.ceilingEntry(epsilon))) {
      if (near != null) {
        DeltaBracket known = near.getValue().delta(epsilon);
        if (known.width() <= REUSABLE * known.estimate()) {
          return Optional.of(known);
        }
      }
    }
    Optional<ContourLine> line = ContourMethod.line(losses, epsilon, Effort.QUICK);
    line.ifPresent(found -> lines.put(epsilon, found));
    return line.map(found -> found.delta(epsilon)).filter(DeltaBracket::isNarrow);
  }

  private Optional<DeltaBracket> byTransform(double epsilon) {
    TiltedFft near = last.get();
    if (near != null) {
      DeltaBracket known = near.delta(epsilon);
      if (known.width() <= INVISIBLE) {
        return Optional.of(known);
      }
    }
    Optional<TiltedFft> next = TransformMethod.near(losses, epsilon, Effort.QUICK);
    next.ifPresent(last::set);
    return next.map(found -> found.delta(epsilon)).filter(found -> found.width() <= INVISIBLE);
  }
}
