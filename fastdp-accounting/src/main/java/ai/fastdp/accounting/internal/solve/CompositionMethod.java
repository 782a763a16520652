/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.EpsilonInterval;
import java.util.Optional;

/**
 * A method that bounds delta and epsilon of a composition in one direction.
 *
 * <p>An empty answer means that another method has to answer, or that more effort is needed. {@link
 * LossSolver} has the list of all methods.
 */
interface CompositionMethod {

  /** {@return the name that reports print} */
  String name();

  /** {@return whether no other method can have narrower bounds} */
  default boolean isExact() {
    return false;
  }

  /**
   * Bounds the epsilon at which delta falls to e^{logDelta}.
   *
   * @param knownWidth width of the narrowest bounds of other methods; wider ones are not worth much
   *     effort
   */
  Optional<EpsilonInterval> epsilon(
      LossComposition losses, double logDelta, Effort effort, double knownWidth);

  /** Bounds delta at one epsilon that is not negative. */
  Optional<DeltaBracket> delta(LossComposition losses, double epsilon, Effort effort);
}
