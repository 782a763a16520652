/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import java.util.List;

/**
 * What a block made of each sample on its own: gradients by a sample's output are gradients of that
 * sample alone.
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
