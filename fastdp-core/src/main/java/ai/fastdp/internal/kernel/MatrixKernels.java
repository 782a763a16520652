/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/**
 * The kernels of matrices' per-sample gradients ({@code matrices.torchscript}); one call serves all
 * matrices.
 *
 * @param module the book-keeping kernels
 */
public record MatrixKernels(TorchScriptModule module) {
  /**
   * Computes the squared norms of the per-sample gradients of K matrices.
   *
   * @param manager owns the results
   * @param matrices the uses of each matrix
   * @param keepBudget the most elements of formed gradients to keep
   * @param maxElements the most elements of a temporary that tiling can keep small
   * @return first (K, B) squared norms in float64, then what {@link #addWeightedSums} needs
   */
  public NDList squaredNorms(
      NDManager manager, Collection<MatrixUses> matrices, long keepBudget, long maxElements) {
    return module.run(
        manager,
        "matrix_sq_norms",
        all(matrices, MatrixUses::inputs),
        all(matrices, MatrixUses::outputGradients),
        all(matrices, MatrixUses::ids),
        all(matrices, MatrixUses::rowGradients),
        counts(matrices, uses -> uses.inputs().size()),
        counts(matrices, uses -> uses.ids().size()),
        counts(matrices, MatrixUses::rows),
        counts(matrices, MatrixUses::width),
        keepBudget,
        maxElements);
  }

  /**
   * Adds \(\sum_i c_{k,i}\, g_{k,i}\) to each target.
   *
   * @param matrices the uses of each matrix
   * @param norms the result of {@link #squaredNorms}
   * @param factors (K, B) float32
   * @param keep (B) boolean; a sample that is false adds exactly zero
   * @param targets K float32 arrays (p, d)
   * @param maxElements the most elements of a temporary that tiling can keep small
   */
  public void addWeightedSums(
      Collection<MatrixUses> matrices,
      NDList norms,
      NDArray factors,
      NDArray keep,
      List<NDArray> targets,
      long maxElements) {
    module.execute(
        "add_matrix_sums",
        all(matrices, MatrixUses::inputs),
        all(matrices, MatrixUses::outputGradients),
        all(matrices, MatrixUses::ids),
        all(matrices, MatrixUses::rowGradients),
        counts(matrices, uses -> uses.inputs().size()),
        counts(matrices, uses -> uses.ids().size()),
        norms,
        factors,
        keep,
        targets,
        maxElements);
  }

  /** Concatenates one list of every matrix, in order. */
  private static List<NDArray> all(
      Collection<MatrixUses> matrices, Function<MatrixUses, List<NDArray>> list) {
    return matrices.stream().flatMap(uses -> list.apply(uses).stream()).toList();
  }

  private static long[] counts(Collection<MatrixUses> matrices, ToLongFunction<MatrixUses> count) {
    return matrices.stream().mapToLong(count).toArray();
  }
}
