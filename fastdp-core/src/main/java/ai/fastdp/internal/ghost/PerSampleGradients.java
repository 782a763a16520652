/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.rule.Contributions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * The per-sample gradients of one micro-batch, in the forms that rules have added: their norms, and
 * their weighted sums.
 *
 * <p>Rules add to the {@link #contributions()}. A {@link GradientForm} computes norms and sums of
 * the parameters whose contributions it keeps; the rows of norms and factors are those of the first
 * form's parameters, then the next form's.
 *
 * <p>Norms are accumulated in float64. The gradient that is added is the one whose norm was taken:
 * rows of a table are summed sample by sample first, and gradients that were formed for their norms
 * are added as they were formed. Norms by Gram matrices belong to one product over all samples;
 * where the terms of a sample cancel so far that float32 products do not settle its norm or its
 * part of the sum, or lie near float32's ends, that sample's gradient is formed in float64 for
 * both. See docs/adr/0032.
 *
 * @see <a href="https://arxiv.org/abs/2210.00038">Bu et al. 2022, section 3</a>
 */
public final class PerSampleGradients {
  private final FactoredContributions contributions;
  private final double lossScale;

  /**
   * Creates the gradients of a micro-batch, without any contribution yet.
   *
   * @param kernels the module of the book-keeping kernels
   * @param manager owns all temporaries
   * @param batchSize the number of samples B
   * @param maxElements the most elements of a temporary that tiling can keep small
   */
  public PerSampleGradients(
      TorchScriptModule kernels, NDManager manager, long batchSize, long maxElements) {
    this(kernels, manager, batchSize, 1, maxElements, 1);
  }

  /**
   * Creates the gradients of a micro-batch whose samples are several views each: an array of the
   * samples may have B V rows on its first axis in place of B, a sample's views next to each other.
   * The gradients of a sample's views are summed.
   *
   * @param kernels the module of the book-keeping kernels
   * @param manager owns all temporaries
   * @param batchSize the number of samples B
   * @param views the number of views V of each
   * @param maxElements the most elements of a temporary that tiling can keep small
   * @param lossScale the factor, a power of two, of the losses that were propagated; norms and sums
   *     are divided by it
   */
  public PerSampleGradients(
      TorchScriptModule kernels,
      NDManager manager,
      long batchSize,
      long views,
      long maxElements,
      double lossScale) {
    this.lossScale = lossScale;
    contributions =
        new FactoredContributions(
            new Workspace(kernels, manager, maxElements), new UseShapes(manager, batchSize, views));
  }

  /** {@return the contributions that these gradients are made of, for rules to add to} */
  public Contributions contributions() {
    return contributions;
  }

  /**
   * Computes early what replaces larger arrays: gradients of vectors, and norms of convolutions
   * whose gradients may be kept.
   *
   * @param complete whether all uses of a parameter have been added
   */
  public void settle(Predicate<Parameter> complete) {
    contributions.forms().forEach(form -> form.settle(complete));
  }

  /** {@return the arrays given to the contributions that are still needed, by identity} */
  public Set<NDArray> neededArrays() {
    Set<NDArray> needed = Collections.newSetFromMap(new IdentityHashMap<>());
    contributions.forms().forEach(form -> form.addNeededArrays(needed));
    return needed;
  }

  /** {@return the parameters with contributions, in the order of the rows of the squared norms} */
  public List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>();
    forms().forEach(form -> all.addAll(form.parameters()));
    return all;
  }

  /**
   * Computes the squared norms of the per-sample gradients, parameter by parameter. Contributions
   * are refused afterwards.
   *
   * @return (K, B) float64 for the K {@link #parameters()}; NaN or infinite where a sample's
   *     gradient is not finite
   */
  public NDArray squaredNorms() {
    contributions.complete();
    NDList parts = new NDList();
    forms().forEach(form -> parts.add(form.squaredNorms()));
    NDArray squares = parts.size() == 1 ? parts.head() : NDArrays.concat(parts, 0);
    // A power of two: exact in float64.
    return lossScale == 1 ? squares : squares.div(lossScale * lossScale);
  }

  /**
   * Adds the weighted sums of per-sample gradients, \(\sum_i c_{k,i}\, g_{k,i}\), to targets.
   *
   * @param factors (K, B) float32, in the order of {@link #parameters()}
   * @param keep (B) boolean; a sample that is false adds exactly zero whatever its gradient is
   * @param targets for each of {@link #parameters()} a float32 array of the parameter's shape
   */
  public void addWeightedSums(NDArray factors, NDArray keep, List<NDArray> targets) {
    NDArray unscaled = lossScale == 1 ? factors : unscaled(factors);
    int first = 0;
    for (GradientForm form : forms()) {
      int end = first + form.parameters().size();
      NDArray rows = unscaled.get(first + ":" + end);
      form.addWeightedSums(rows, keep, targets.subList(first, end));
      first = end;
    }
  }

  /** Divides by the loss scale; a quotient below float32's normal range becomes zero. */
  private NDArray unscaled(NDArray factors) {
    NDArray divided = factors.div((float) lossScale);
    return NDArrays.where(divided.gte(Float.MIN_NORMAL), divided, divided.zerosLike());
  }

  /** The forms that have parameters, each of which has one form. */
  private List<GradientForm> forms() {
    List<GradientForm> used = new ArrayList<>();
    IdentityHashMap<Parameter, GradientForm> formOf = new IdentityHashMap<>();
    for (GradientForm form : contributions.forms()) {
      List<Parameter> parameters = form.parameters();
      for (Parameter parameter : parameters) {
        GradientForm other = formOf.put(parameter, form);
        if (other != null) {
          throw new IllegalStateException(
              UseShapes.describe(parameter)
                  + " must be used in one form, got "
                  + other.name()
                  + " and "
                  + form.name()
                  + "; use two parameters");
        }
      }
      if (!parameters.isEmpty()) {
        used.add(form);
      }
    }
    return used;
  }
}
