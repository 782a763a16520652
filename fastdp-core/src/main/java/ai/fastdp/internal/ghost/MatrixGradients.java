/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.kernel.MatrixUses;
import ai.fastdp.rule.Contributions;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Gradients of matrices (p, d), kept as the factors of their linear uses and uses by rows.
 *
 * <p>A linear use has inputs A (B, T, d) and output gradients G (B, T, p), and a sample's gradient
 * is \(G^\top A\). Its squared norm is \(\langle A A^\top, G G^\top \rangle\), by Gram matrices (T,
 * T), where that costs less than forming the product, \(T (p + d) \le p d\) or T = 1, and that of
 * the formed product otherwise. A use by rows adds \(g_t\) to row \(id_t\): rows of equal ids are
 * summed for each sample first. A matrix that is used both ways has the cross term \(2 \sum_{s,t}
 * P_{s, id_t} \langle h_s, g_t \rangle\) of a linear use with inputs H and output gradients P.
 *
 * <p>One kernel call computes the norms of all matrices, and one adds all their weighted sums.
 */
final class MatrixGradients implements GradientForm {
  private final Workspace workspace;
  private final UseShapes shapes;
  private final Map<Parameter, MatrixUses> matrices = new LinkedHashMap<>();
  // Arrays whose views the uses hold.
  private final Set<NDArray> viewed = Collections.newSetFromMap(new IdentityHashMap<>());
  private @Nullable NDList norms;

  MatrixGradients(Workspace workspace, UseShapes shapes) {
    this.workspace = workspace;
    this.shapes = shapes;
  }

  /** Adds a linear use; see {@link Contributions#addLinear}. */
  void addLinear(Parameter weight, NDArray input, NDArray outputGradient) {
    UseShapes.requireRank(weight, 2);
    NDArray a = positions(weight, "input", input, weight.getShape().get(1));
    NDArray g = positions(weight, "output gradient", outputGradient, weight.getShape().get(0));
    if (a.getShape().get(1) != g.getShape().get(1)) {
      throw shapes.misfit(
          weight, "as many positions of input and output gradient", input, outputGradient);
    }
    uses(weight).addLinear(a, g);
  }

  /** Adds a use by rows; see {@link Contributions#addRows}. */
  void addRows(Parameter table, NDArray ids, NDArray outputGradient) {
    UseShapes.requireRank(table, 2);
    NDArray g = positions(table, "output gradient", outputGradient, table.getShape().get(1));
    if (ids.size() != shapes.batchSize() * g.getShape().get(1)) {
      throw shapes.misfit(table, "one id for each row of the output gradient", ids, outputGradient);
    }
    NDArray rows = ids.toType(DataType.INT64, false).reshape(shapes.batchSize(), -1);
    uses(table).addRows(shapes.owned(rows), g);
  }

  private NDArray positions(Parameter parameter, String what, NDArray array, long width) {
    NDArray samples = shapes.bySample(array);
    NDArray view = shapes.positions(parameter, what, samples, width);
    viewed.add(samples);
    return view;
  }

  private MatrixUses uses(Parameter matrix) {
    Shape shape = matrix.getShape();
    return matrices.computeIfAbsent(matrix, p -> new MatrixUses(shape.get(0), shape.get(1)));
  }

  @Override
  public String name() {
    return "matrix";
  }

  @Override
  public List<Parameter> parameters() {
    return List.copyOf(matrices.keySet());
  }

  @Override
  public void settle(Predicate<Parameter> complete) {
    // Factors are kept until the norms of all matrices are taken together.
  }

  @Override
  public void addNeededArrays(Set<NDArray> needed) {
    needed.addAll(viewed);
  }

  @Override
  public NDArray squaredNorms() {
    return norms().head();
  }

  @Override
  public void addWeightedSums(NDArray factors, NDArray keep, List<NDArray> targets) {
    workspace
        .matrices()
        .addWeightedSums(
            matrices.values(), norms(), factors, keep, targets, workspace.maxElements());
  }

  /** The squared norms, and what the weighted sums are made of; computed once. */
  private NDList norms() {
    if (norms == null) {
      norms =
          workspace
              .matrices()
              .squaredNorms(
                  workspace.manager(),
                  matrices.values(),
                  Math.max(0, workspace.keepBudget()),
                  workspace.maxElements());
    }
    return norms;
  }
}
