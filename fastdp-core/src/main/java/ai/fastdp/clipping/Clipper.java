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
  // Rounding of a division, a square and a root; far below what a float32 sum can show.
  private static final double ROUNDING = 1e-12;

  private final ClippingStyle style;
  private final ClippingFunction function;
  private final int[] groups;
  private final int count;

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
   * @param clipNorm any clip norm R of the whole contribution, to check the groups' with
   * @param parameters the parameters' paths
   * @throws IllegalArgumentException if the style does not fit the parameters, or the groups' clip
   *     norms combine to more than R
   */
  public Clipper(
      ClippingStyle style, ClippingFunction function, double clipNorm, List<String> parameters) {
    this.style = style;
    this.function = function;
    groups = style.groups(parameters);
    count = Arrays.stream(groups).max().orElse(0) + 1;
    clipNorms(clipNorm);
  }

  /**
   * The group of each parameter.
   *
   * @return numbers of groups, in the order of the clipper's parameters
   */
  public int[] groups() {
    return groups.clone();
  }

  /**
   * Computes the factors of a micro-batch.
   *
   * <p>The rows must be all parameters of the groups that they touch.
   *
   * @param squaredNorms (K, B) float64
   * @param rows for each row the number of its parameter in the clipper's list
   * @param clipNorm this step's clip norm R of the whole contribution
   * @param valid (B) boolean, false for samples that must contribute zero in any case
   * @return the factors, row by row
   */
  public Factors factors(NDArray squaredNorms, int[] rows, double clipNorm, NDArray valid) {
    double[] clipNorms = clipNorms(clipNorm);
    NDArray whole = squaredNorms.sum(new int[] {0});
    NDArray keep = finite(whole).logicalAnd(valid);
    NDArray[] ofGroup = new NDArray[count];
    for (int m : touched(rows)) {
      NDArray sum = groupSum(squaredNorms, whole, rows, m);
      NDArray norms = NDArrays.where(keep, sum, sum.zerosLike()).sqrt();
      NDArray bound = norms.maximum(Double.MIN_NORMAL).pow(-1).mul(clipNorms[m]);
      ofGroup[m] = inFloat32(NDArrays.minimum(function.factors(norms, clipNorms[m]), bound));
    }
    if (count == 1) {
      return new Factors(ofGroup[0].broadcast(squaredNorms.getShape()), keep);
    }
    NDList perRow = new NDList();
    for (int row : rows) {
      perRow.add(ofGroup[groups[row]]);
    }
    return new Factors(NDArrays.concat(perRow, 0), keep);
  }

  /**
   * Tells which samples no group of these rows clips: each group's norm is at most its clip norm.
   *
   * @param squaredNorms (K, B) float64
   * @param rows as for {@link #factors}
   * @param clipNorm this step's clip norm R of the whole contribution
   * @return (B) boolean; false for a norm that is not finite
   */
  public NDArray unclipped(NDArray squaredNorms, int[] rows, double clipNorm) {
    double[] clipNorms = clipNorms(clipNorm);
    NDArray whole = squaredNorms.sum(new int[] {0});
    NDArray unclipped = finite(whole);
    for (int m : touched(rows)) {
      // A comparison with NaN is false.
      NDArray within = groupSum(squaredNorms, whole, rows, m).sqrt().lte(clipNorms[m]);
      unclipped = unclipped.logicalAnd(within);
    }
    return unclipped;
  }

  /** The groups' clip norms, which never combine to a larger sensitivity than the whole has. */
  private double[] clipNorms(double clipNorm) {
    double[] norms = style.clipNorms(clipNorm, count);
    double combined =
        Math.sqrt(Arrays.stream(norms).map(function::sensitivity).map(s -> s * s).sum());
    double whole = function.sensitivity(clipNorm);
    if (!(combined <= whole * (1 + ROUNDING))) {
      throw new IllegalArgumentException(
          "the groups' clip norms must combine to at most " + whole + ", got " + combined);
    }
    return norms;
  }

  private int[] touched(int[] rows) {
    return Arrays.stream(rows).map(row -> groups[row]).distinct().toArray();
  }

  private static NDArray finite(NDArray array) {
    return array.isInfinite().logicalOr(array.isNaN()).logicalNot();
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

  private NDArray groupSum(NDArray squaredNorms, NDArray whole, int[] rows, int group) {
    NDList members = new NDList();
    for (int k = 0; k < rows.length; k++) {
      if (groups[rows[k]] == group) {
        members.add(squaredNorms.get(new NDIndex().addSliceDim(k, k + 1)));
      }
    }
    return members.size() == rows.length ? whole : NDArrays.concat(members, 0).sum(new int[] {0});
  }
}
