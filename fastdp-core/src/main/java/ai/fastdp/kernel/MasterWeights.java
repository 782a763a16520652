/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * The weights as an optimizer updates them: contiguous float32 arrays.
 *
 * <p>A weight that is one already stands for itself. One of another type or layout has a master
 * copy; after each update the weight becomes the copy, rounded to its type. Updates that are
 * smaller than half a unit of the weight's type add up in the copy and would be lost in the weight.
 *
 * @see <a href="https://arxiv.org/abs/1710.03740">Micikevicius et al. 2017, section 3.1</a>
 */
public final class MasterWeights {
  private final TorchScriptModule module;
  private final List<NDArray> weights;
  private final List<NDArray> arrays;
  private final List<Integer> copied = new ArrayList<>();
  private final List<NDArray> copies = new ArrayList<>();

  private MasterWeights(NDManager manager, List<NDArray> weights) {
    this.weights = List.copyOf(weights);
    arrays = new ArrayList<>(weights);
    module =
        TorchScriptModule.compileResource(
            manager, "Masters", MasterWeights.class, "masters.torchscript");
    long[] inPlace = module.runToLongs("in_place", weights);
    for (int k = 0; k < inPlace.length; k++) {
      if (inPlace[k] == 0) {
        copied.add(k);
      }
    }
    for (int k : copied) {
      NDArray weight = weights.get(k);
      // Made by DJL and not by a kernel, so that optimizers other than kernels may write to it.
      NDArray copy = manager.zeros(weight.getShape(), DataType.FLOAT32, weight.getDevice());
      copies.add(copy);
      arrays.set(k, copy);
    }
    setCopies(weights);
  }

  private List<NDArray> ofCopied(List<NDArray> all) {
    return copied.stream().map(all::get).toList();
  }

  /**
   * Makes master copies where they are needed.
   *
   * @param manager owns the copies
   * @param weights the weights
   * @return the masters
   */
  public static MasterWeights of(NDManager manager, List<NDArray> weights) {
    return new MasterWeights(manager, weights);
  }

  /**
   * Returns the arrays to update.
   *
   * @return for each weight the weight itself or its master copy, contiguous float32
   */
  public List<NDArray> arrays() {
    return Collections.unmodifiableList(arrays);
  }

  /**
   * Returns whether any weight has a master copy.
   *
   * @return true if one has
   */
  public boolean haveCopies() {
    return !copied.isEmpty();
  }

  /** Rounds the master copies to the weights; to be called after every update. */
  public void publish() {
    if (haveCopies()) {
      module.run(copies.get(0).getManager(), "copy", ofCopied(weights), copies);
    }
  }

  /**
   * Returns whether these are the masters of exactly the given arrays.
   *
   * @param others the model's arrays now
   * @return false if an array has been replaced
   */
  @SuppressWarnings("ReferenceEquality") // Equal values in another array need another master.
  public boolean standFor(List<NDArray> others) {
    if (others.size() != weights.size()) {
      return false;
    }
    for (int k = 0; k < others.size(); k++) {
      if (others.get(k) != weights.get(k)) {
        return false;
      }
    }
    return true;
  }

  /**
   * Sets the master copies to saved ones.
   *
   * @param saved an array for each weight, as {@link #arrays()} was when it was saved
   * @throws IllegalArgumentException if a saved master does not round to the weight
   */
  public void restore(List<NDArray> saved) {
    long[] agree = module.runToLongs("agree", weights, saved);
    for (int k = 0; k < agree.length; k++) {
      if (agree[k] == 0) {
        throw new IllegalArgumentException(
            "master of parameter "
                + k
                + " "
                + weights.get(k).getShape()
                + " must round to the model's weight, got another one; load the model that was"
                + " saved with this state");
      }
    }
    setCopies(saved);
  }

  private void setCopies(List<NDArray> all) {
    if (haveCopies()) {
      module.run(copies.get(0).getManager(), "copy", copies, ofCopied(all));
    }
  }
}
