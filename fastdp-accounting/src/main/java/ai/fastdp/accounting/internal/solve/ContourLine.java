/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import ai.fastdp.accounting.internal.loss.DeltaBracket;

/**
 * A contour integral that was computed for one epsilon, and whose bounds hold at every other one.
 *
 * @param losses the steps that it composes, restricted or not
 * @param lost a bound of how much restricting P may have lowered delta
 */
record ContourLine(ContourIntegral integral, LossComposition losses, double lost) {

  DeltaBracket delta(double epsilon) {
    DeltaBracket found = integral.delta(losses, epsilon);
    return new DeltaBracket(found.lower(), found.estimate(), found.upper() + lost);
  }
}
