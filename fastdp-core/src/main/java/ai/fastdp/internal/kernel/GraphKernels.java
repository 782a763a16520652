/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.List;

/**
 * The kernels on the graph of a forward pass ({@code graph.torchscript}).
 *
 * @param module the book-keeping kernels
 */
public record GraphKernels(TorchScriptModule module) {
  /**
   * Reads how often arrays have been modified in place.
   *
   * @param arrays the arrays
   * @return the version of each
   */
  public long[] versions(List<NDArray> arrays) {
    return module.runToLongs("versions", arrays);
  }

  /**
   * Reads the arrays' PyTorch types, some of which DJL does not know.
   *
   * @param arrays the arrays
   * @return PyTorch's number of each type
   */
  public long[] types(List<NDArray> arrays) {
    return module.runToLongs("types", arrays);
  }

  /**
   * Makes an array of the same values that is a node in the graph and, for autograd, no view.
   *
   * @param array the array
   * @return the alias, under the array's manager
   */
  public NDArray alias(NDArray array) {
    return module.runDifferentiable("alias", array).head();
  }

  /**
   * Frees the values of arrays, which keep their places in the graph.
   *
   * @param arrays the arrays
   */
  public void release(List<NDArray> arrays) {
    module.execute("release", arrays);
  }

  /**
   * Selects rows on an axis, in the graph.
   *
   * @param array the array
   * @param axis the axis' number, an array on the CPU
   * @param rows the rows' numbers
   * @return the rows, under the array's manager
   */
  public NDArray take(NDArray array, NDArray axis, NDArray rows) {
    return module.runDifferentiable("take", array, axis, rows).head();
  }

  /**
   * Back-propagates through one segment of a graph that was cut.
   *
   * @param manager owns the results
   * @param root the segment's end
   * @param seed the gradient of the root
   * @param outputs the layers' outputs in the segment
   * @param leaves the leaves of earlier cuts
   * @param early outputs before the segment, which the root must not reach
   * @param probes other arrays that the root must not reach
   * @param keep whether the graph is kept
   * @return the gradients of the outputs and of the leaves, empty where there is no path; last, the
   *     numbers of the first early output and of the first probe that the root reaches, or -1
   */
  public NDList segmentGradients(
      NDManager manager,
      NDArray root,
      NDArray seed,
      List<NDArray> outputs,
      List<NDArray> leaves,
      List<NDArray> early,
      List<NDArray> probes,
      boolean keep) {
    return module.run(
        manager, "segment_gradients", root, seed, outputs, leaves, early, probes, keep);
  }

  /**
   * Tells which outputs the losses reach in rows of samples whose own loss has weight 0. Keeps the
   * graph.
   *
   * @param losses (B)
   * @param weights (B)
   * @param outputs arrays with the samples on the first axis
   * @return for each output 1 if its gradient is other than zero in such a row, else 0
   */
  public long[] foreignInfluence(NDArray losses, NDArray weights, List<NDArray> outputs) {
    return module.runToLongs("foreign_influence", losses, weights, outputs);
  }

  /**
   * Computes the gradient of one loss by parameters, by ordinary back-propagation. Keeps the graph.
   *
   * @param manager owns the results
   * @param losses the losses
   * @param index the number of the loss
   * @param parameters the parameters
   * @return a gradient for each parameter, empty where there is no path
   */
  public NDList parameterGradients(
      NDManager manager, NDArray losses, long index, List<NDArray> parameters) {
    return module.run(manager, "parameter_gradients", losses, index, parameters);
  }

  /**
   * Computes the gradients of samples that have separate graphs. Keeps the graphs.
   *
   * @param manager owns the results
   * @param outputs each sample's output
   * @param outputGradient (B, ...) the gradient by the outputs
   * @param parameters the parameters
   * @return per-sample gradients (B, n) of each parameter, empty where no sample depends on it
   */
  public NDList sampleGradients(
      NDManager manager, List<NDArray> outputs, NDArray outputGradient, List<NDArray> parameters) {
    return module.run(manager, "sample_gradients", outputs, outputGradient, parameters);
  }

  /**
   * Compares arrays pair by pair in float64. An empty array counts as zeros.
   *
   * @param manager owns the results
   * @param left K arrays
   * @param right K arrays
   * @param maxElements the most elements of a temporary
   * @return the sums (K) of the squares of the differences, of the left and of the right elements
   */
  public NDList squareSums(
      NDManager manager, List<NDArray> left, List<NDArray> right, long maxElements) {
    return module.run(manager, "square_sums", left, right, maxElements);
  }

  /**
   * Sums the squares of arrays in float64.
   *
   * @param manager owns the result
   * @param arrays K arrays, which may be empty
   * @param maxElements the most elements of a temporary
   * @return the sums (K)
   */
  public NDArray squares(NDManager manager, List<NDArray> arrays, long maxElements) {
    return module.run(manager, "squares", arrays, maxElements).head();
  }

  /**
   * Subtracts arrays pair by pair, in place where the left one is not empty. An empty array counts
   * as zeros.
   *
   * @param manager owns the results
   * @param left the arrays to subtract from
   * @param right the arrays to subtract
   * @return the differences
   */
  public NDList subtract(NDManager manager, List<NDArray> left, List<NDArray> right) {
    return module.run(manager, "subtract", left, right);
  }
}
