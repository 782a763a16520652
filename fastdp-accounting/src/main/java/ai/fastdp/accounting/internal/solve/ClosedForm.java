/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import ai.fastdp.accounting.internal.loss.GaussianHockeyStick;
import ai.fastdp.accounting.internal.loss.GaussianPair;
import ai.fastdp.accounting.internal.loss.HockeyStick;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/** One step, or unsampled Gaussian steps only, in closed form. */
public final class ClosedForm implements CompositionMethod {

  static final String NAME = "closed_form";

  /** Returns the curve of delta, if there is a formula. */
  static Optional<HockeyStick> of(LossComposition losses) {
    OptionalDouble mu = gaussianMu(losses);
    if (mu.isPresent()) {
      return Optional.of(new GaussianHockeyStick(mu.getAsDouble()));
    }
    return losses.steps() == 1
        ? Optional.of(losses.parts().get(0).pair().hockeyStick())
        : Optional.empty();
  }

  /** Returns mu if all steps are unsampled Gaussian ones, whose squares add up. */
  public static OptionalDouble gaussianMu(LossComposition losses) {
    List<LossComposition.Part> parts = losses.parts();
    if (!parts.stream().allMatch(part -> part.pair().gaussianMu().isPresent())) {
      return OptionalDouble.empty();
    }
    return OptionalDouble.of(
        GaussianPair.composed(
            parts.stream().mapToDouble(LossComposition.Part::count).toArray(),
            parts.stream().mapToDouble(part -> part.pair().gaussianMu().orElseThrow()).toArray()));
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public boolean isExact() {
    return true;
  }

  @Override
  public Optional<EpsilonInterval> epsilon(
      LossComposition losses, double logDelta, Effort effort, double knownWidth) {
    return of(losses).map(curve -> curve.epsilon(logDelta));
  }

  @Override
  public Optional<DeltaBracket> delta(LossComposition losses, double epsilon, Effort effort) {
    return of(losses)
        .map(curve -> losses.isAtMost(epsilon) ? DeltaBracket.ZERO : curve.bracket(epsilon));
  }
}
