/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.pass;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.ghost.PerSampleGradients;
import java.util.Arrays;
import java.util.List;

/** The trainable parameters by clipping group. */
public final class ClippingGroups {
  private final TrainableParameters trainable;
  private final int[] groups;

  /**
   * @param groups the clipping group of each trainable parameter
   */
  public ClippingGroups(TrainableParameters trainable, int[] groups) {
    this.trainable = trainable;
    this.groups = groups.clone();
  }

  public int count() {
    return Arrays.stream(groups).max().orElse(0) + 1;
  }

  /** The group of a parameter, by its number. */
  public int of(int number) {
    return groups[number];
  }

  /** The arrays of a group's parameters, of one for each trainable parameter. */
  public NDList of(int group, List<NDArray> arrays) {
    NDList own = new NDList();
    for (int k = 0; k < groups.length; k++) {
      if (groups[k] == group) {
        own.add(arrays.get(k));
      }
    }
    return own;
  }

  /** The norms of the samples' gradients in each group. */
  public double[][] norms(PerSampleGradients gradients, long samples) {
    int count = Math.toIntExact(samples);
    double[][] norms = new double[count()][count];
    double[] squares = gradients.squaredNorms().toDoubleArray();
    List<Parameter> parameters = gradients.parameters();
    for (int row = 0; row < parameters.size(); row++) {
      double[] own = norms[groups[trainable.number(parameters.get(row))]];
      for (int i = 0; i < count; i++) {
        own[i] += squares[row * count + i];
      }
    }
    for (double[] own : norms) {
      Arrays.setAll(own, i -> Math.sqrt(own[i]));
    }
    return norms;
  }
}
