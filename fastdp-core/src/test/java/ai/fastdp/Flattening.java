/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import java.util.ArrayList;
import java.util.List;

/** Keeps the gradients of every step in one array and leaves the weights as they are. */
final class Flattening implements DpOptimizer {
  private final List<double[]> steps = new ArrayList<>();

  /** The gradients of each step, parameter by parameter. */
  List<double[]> steps() {
    return steps;
  }

  @Override
  public void update(PrivatizedGradient gradient) {
    int size = gradient.gradients().stream().mapToInt(g -> (int) g.size()).sum();
    double[] flat = new double[size];
    int at = 0;
    for (NDArray part : gradient.gradients()) {
      for (float value : part.toFloatArray()) {
        flat[at++] = value;
      }
    }
    steps.add(flat);
  }

  @Override
  public void close() {}
}
