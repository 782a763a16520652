/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.nn.Parameter;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import java.util.IdentityHashMap;

/** Keeps the last gradient instead of updating weights. */
public final class CapturingOptimizer implements DpOptimizer {
  final IdentityHashMap<Parameter, float[]> gradients = new IdentityHashMap<>();
  int updates;

  @Override
  public void update(PrivatizedGradient gradient) {
    updates++;
    for (int k = 0; k < gradient.parameters().size(); k++) {
      gradients.put(gradient.parameters().get(k), gradient.gradients().get(k).toFloatArray());
    }
  }

  @Override
  public void close() {}
}
