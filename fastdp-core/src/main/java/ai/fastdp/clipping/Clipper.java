/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import java.util.Arrays;
import java.util.List;

/**
 * Turns squared norms into clip factors: the style groups the norms, the function maps each group's
 * norm to a factor.
 *
 * <p>Whatever the function returns, a factor is never above R/n, so that no contribution exceeds
 * its group's clip norm. A sample whose norm is not finite keeps nothing.
 */
public final class Clipper {
  private final int[] groups;
  private final double[] clipNorms;
  private final ClippingFunction function;

  /**
   * The clip factors of a micro-batch.
   *
   * @param factors (K, B) float32, finite
   * @param keep (B) boolean, false for samples that must contribute exactly zero
   */
  public record Factors(NDArray factors, NDArray keep) {}

  /**
   * Creates the clipper of a set of parameters.
   *
   * @param style groups the parameters
   * @param function maps norms to factors
   * @param clipNorm the clip norm R of the whole contribution
   * @param parameters the parameters' paths
   */
  public Clipper(
      ClippingStyle style, ClippingFunction function, double clipNorm, List<String> parameters) {
    this.function = function;
    groups = style.groups(parameters);
    clipNorms = style.clipNorms(clipNorm, Arrays.stream(groups).max().orElse(0) + 1);
    double whole = Math.sqrt(Arrays.stream(clipNorms).map(r -> r * r).sum());
    if (!(whole <= clipNorm * (1 + 1e-12))) {
      throw new IllegalArgumentException(
          "the groups' clip norms must combine to at most " + clipNorm + ", got " + whole);
    }
  }

  /**
   * Computes the factors of a micro-batch.
   *
   * @param squaredNorms (K, B) float64
   * @param rows for each row the number of its parameter in the clipper's list
   * @return the factors, row by row
   */
  public Factors factors(NDArray squaredNorms, int[] rows) {
    NDArray whole = squaredNorms.sum(new int[] {0});
    NDArray keep = whole.isInfinite().logicalOr(whole.isNaN()).logicalNot();
    NDArray[] ofGroup = new NDArray[clipNorms.length];
    for (int m = 0; m < clipNorms.length; m++) {
      NDArray sum = clipNorms.length == 1 ? whole : groupSum(squaredNorms, rows, m);
      NDArray norms = NDArrays.where(keep, sum, sum.zerosLike()).sqrt();
      NDArray bound = norms.maximum(Double.MIN_NORMAL).pow(-1).mul(clipNorms[m]);
      ofGroup[m] = inFloat32(NDArrays.minimum(function.factors(norms, clipNorms[m]), bound));
    }
    if (clipNorms.length == 1) {
      return new Factors(ofGroup[0].broadcast(squaredNorms.getShape()), keep);
    }
    NDList perRow = new NDList();
    for (int row : rows) {
      perRow.add(ofGroup[groups[row]]);
    }
    return new Factors(NDArrays.concat(perRow, 0), keep);
  }

  /**
   * Rounds factors to float32: one beyond its range to the largest number, and one below its normal
   * range, where rounding could double it, to zero.
   */
  private static NDArray inFloat32(NDArray factors) {
    NDArray normal =
        NDArrays.where(factors.gte(Float.MIN_NORMAL), factors, factors.zerosLike())
            .minimum(Float.MAX_VALUE);
    return normal.toType(DataType.FLOAT32, false).expandDims(0);
  }

  private NDArray groupSum(NDArray squaredNorms, int[] rows, int group) {
    NDList members = new NDList();
    for (int k = 0; k < rows.length; k++) {
      if (groups[rows[k]] == group) {
        members.add(squaredNorms.get(new NDIndex().addSliceDim(k, k + 1)));
      }
    }
    return members.isEmpty()
        ? squaredNorms.sum(new int[] {0}).zerosLike()
        : NDArrays.concat(members, 0).sum(new int[] {0});
  }
}
