/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.fastdp.rule.Contributions;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * One way to keep per-sample gradients, with all parameters of a micro-batch that are kept so.
 *
 * <p>A form collects uses by methods of its class, which {@link Contributions} offers to rules. All
 * uses of a parameter come before its norms are asked for.
 */
interface GradientForm {
  /** The form's name in errors. */
  String name();

  /** The parameters that have uses, in the order of the rows of norms and factors. */
  List<Parameter> parameters();

  /**
   * Computes early what replaces larger arrays.
   *
   * @param complete whether all uses of a parameter have been added
   */
  void settle(Predicate<Parameter> complete);

  /** Adds the given arrays that are still needed to a set by identity. */
  void addNeededArrays(Set<NDArray> needed);

  /** Squared norms (K, B) in float64 of the K {@link #parameters()}; K is at least 1. */
  NDArray squaredNorms();

  /**
   * Adds \(\sum_i c_{k,i}\, g_{k,i}\) to each target.
   *
   * @param factors (K, B) float32
   * @param keep (B) boolean; a sample that is false adds exactly zero
   * @param targets a float32 array of each parameter's shape
   */
  void addWeightedSums(NDArray factors, NDArray keep, List<NDArray> targets);
}
