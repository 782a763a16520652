/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.run;

import ai.djl.nn.Parameter;
import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * Remembers for the life of the process which budget a model's parameters were last trained on, so
 * that another engine does not start another budget for the same model unawares.
 */
public final class ModelBudgets {
  // Parameters have no equality of their own: keys count by identity.
  private static final Map<Parameter, Object> SPENT =
      Collections.synchronizedMap(new WeakHashMap<>());

  private static final Object NO_GUARANTEE = new Object();

  private ModelBudgets() {}

  /**
   * Checks that none of the parameters has been trained on another budget.
   *
   * @param budget identifies the budget
   * @throws IllegalStateException if one has
   */
  public static void requireSame(Collection<Parameter> parameters, Object budget) {
    for (Parameter parameter : parameters) {
      Object before = SPENT.get(parameter);
      if (before == NO_GUARANTEE) {
        throw new IllegalStateException(
            "model must not hold what a run without a guarantee has learned, got one that"
                + " optNonPrivate has trained in this process; begin with other weights in a new"
                + " model, or call optOtherData() if that run's data were public");
      }
      if (before != null && !before.equals(budget)) {
        throw new IllegalStateException(
            "model must be trained on one budget, got a model that another engine of this process"
                + " has trained privately; attach it to that engine again, which goes on with the"
                + " rest of its budget, or call optOtherData() if the data are others than before");
      }
    }
  }

  /** Notes that a run without a guarantee has trained parameters. */
  static void trainedWithoutGuarantee(Collection<Parameter> parameters) {
    parameters.forEach(parameter -> SPENT.put(parameter, NO_GUARANTEE));
  }

  /** Notes that a step of parameters has been charged to a budget. */
  public static void spent(Collection<Parameter> parameters, Object budget) {
    parameters.forEach(parameter -> SPENT.put(parameter, budget));
  }
}
