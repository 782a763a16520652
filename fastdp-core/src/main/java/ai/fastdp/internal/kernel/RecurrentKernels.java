/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.recurrent.RNN;
import ai.fastdp.kernel.TorchScriptModule;
import org.jspecify.annotations.Nullable;

/**
 * The kernels of recurrent layers unrolled over time ({@code recurrent.torchscript}), all in the
 * graph. Pre-activations (T, B, gates H) are the inputs' part; results have T + 1 states, the
 * initial one included.
 *
 * @param module the book-keeping kernels
 */
public record RecurrentKernels(TorchScriptModule module) {
  /**
   * Computes the inputs' part of the pre-activations.
   *
   * @param inputs (T, B, d)
   * @param weight (gates H, d)
   * @param bias (gates H), or null for none
   * @return (T, B, gates H)
   */
  public NDArray inputPart(NDArray inputs, NDArray weight, @Nullable NDArray bias) {
    return bias == null
        ? module.runDifferentiable("input_part", inputs, weight).head()
        : module.runDifferentiable("input_part_with_bias", inputs, weight, bias).head();
  }

  /**
   * Runs an Elman network.
   *
   * @param activation its activation function
   * @param reverse whether time runs backwards
   * @param preActivations (T, B, H)
   * @param state (B, H) the initial state
   * @param weight (H, H)
   * @return the states (T + 1, B, H)
   */
  public NDArray rnn(
      RNN.Activation activation,
      boolean reverse,
      NDArray preActivations,
      NDArray state,
      NDArray weight) {
    String method = activation == RNN.Activation.RELU ? "rnn_relu" : "rnn_tanh";
    return module
        .runDifferentiable(directed(method, reverse), preActivations, state, weight)
        .head();
  }

  /**
   * Runs an LSTM.
   *
   * @param reverse whether time runs backwards
   * @param preActivations (T, B, 4 H)
   * @param state (B, H) the initial state
   * @param cell (B, H) the initial cell
   * @param weight (4 H, H)
   * @return the states (T + 1, B, H) and the last cell (B, H)
   */
  public NDList lstm(
      boolean reverse, NDArray preActivations, NDArray state, NDArray cell, NDArray weight) {
    return module.runDifferentiable(directed("lstm", reverse), preActivations, state, cell, weight);
  }

  /**
   * Runs a GRU.
   *
   * @param reverse whether time runs backwards
   * @param preActivations (T, B, 3 H)
   * @param state (B, H) the initial state
   * @param weight (3 H, H)
   * @param bias (T, B, 3 H) the bias of the states' part
   * @return the states (T + 1, B, H)
   */
  public NDArray gru(
      boolean reverse, NDArray preActivations, NDArray state, NDArray weight, NDArray bias) {
    return module
        .runDifferentiable(directed("gru", reverse), preActivations, state, weight, bias)
        .head();
  }

  private static String directed(String method, boolean reverse) {
    return reverse ? method + "_reverse" : method;
  }
}
