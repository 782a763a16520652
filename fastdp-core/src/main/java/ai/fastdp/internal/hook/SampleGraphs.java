/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import java.util.List;

/**
 * The separate graphs of a batch's samples in a block that runs sample by sample: gradients by a
 * sample's output are gradients of that sample alone.
 *
 * @param parameters the block's trainable parameters, each once
 * @param outputs for each sample its output (1, ...) in the graph, samples on the first axis
 */
public record SampleGraphs(List<Parameter> parameters, List<NDArray> outputs) {
  /**
   * Copies the lists.
   *
   * @param parameters the parameters
   * @param outputs the outputs
   */
  public SampleGraphs {
    parameters = List.copyOf(parameters);
    outputs = List.copyOf(outputs);
  }
}
