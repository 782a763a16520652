/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.pass.TrainableParameters;
import java.util.List;
import java.util.function.IntFunction;

/** Weighted sums of per-sample gradients as the engine adds them up in a step. */
final class EngineGradients {
  private final TrainableParameters trainable;

  EngineGradients(TrainableParameters trainable) {
    this.trainable = trainable;
  }

  /**
   * The sums of the trainable parameters in float32, empty for one that is not in the pass.
   *
   * @param owner owns the sums
   * @param weights the weights (B) of the samples for the parameter of a number; 0 leaves a sample
   *     out of all sums, whatever its gradient is
   */
  NDList sums(NDManager owner, PerSampleGradients gradients, IntFunction<double[]> weights) {
    List<Parameter> used = gradients.parameters();
    NDList sums = new NDList();
    for (Parameter parameter : trainable.parameters()) {
      boolean isUsed = used.contains(parameter);
      sums.add(
          isUsed
              ? owner.zeros(parameter.getShape(), DataType.FLOAT32)
              : owner.create(new Shape(0)));
    }
    if (used.isEmpty()) {
      return sums;
    }
    int samples = weights.apply(0).length;
    float[] factors = new float[used.size() * samples];
    boolean[] keep = new boolean[samples];
    for (int k = 0; k < used.size(); k++) {
      double[] own = weights.apply(trainable.number(used.get(k)));
      for (int i = 0; i < samples; i++) {
        factors[k * samples + i] = (float) own[i];
        keep[i] |= own[i] != 0;
      }
    }
    try (NDManager manager = gradients.squaredNorms().getManager().newSubManager()) {
      List<NDArray> targets = used.stream().map(p -> sums.get(trainable.number(p))).toList();
      gradients.addWeightedSums(
          manager.create(factors, new Shape(used.size(), samples)), manager.create(keep), targets);
    }
    return sums;
  }
}
