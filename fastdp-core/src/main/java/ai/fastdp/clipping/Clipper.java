/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

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
  private final boolean countsUnclipped;

  /**
   * The clip factors of a micro-batch.
   *
   * @param factors (K, B) float32, finite
   * @param keep (B) boolean, false for samples that must contribute exactly zero
   * @param unclipped (B) boolean, true for samples of which no group of the rows has a norm above
   *     its clip norm; null unless the function's quantile query counts them
   */
  public record Factors(NDArray factors, NDArray keep, @Nullable NDArray unclipped) {}

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
    countsUnclipped = function.quantileQuery().isPresent();
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

  /** {@return whether the function's quantile query asks for the count of unclipped samples} */
  public boolean countsUnclipped() {
    return countsUnclipped;
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
    NDArray unclipped = countsUnclipped ? keep : null;
    NDArray[] ofGroup = new NDArray[count];
    for (int m : touched(rows)) {
      NDArray sum = groupSum(squaredNorms, whole, rows, m);
      NDArray norms = NDArrays.where(keep, sum, sum.zerosLike()).sqrt();
      NDArray bound = norms.maximum(Double.MIN_NORMAL).pow(-1).mul(clipNorms[m]);
      ofGroup[m] = inFloat32(NDArrays.minimum(function.factors(norms, clipNorms[m]), bound));
      if (unclipped != null) {
        unclipped = unclipped.logicalAnd(norms.lte(clipNorms[m]));
      }
    }
    if (count == 1) {
      return new Factors(ofGroup[0].broadcast(squaredNorms.getShape()), keep, unclipped);
    }
    NDList perRow = new NDList();
    for (int row : rows) {
      perRow.add(ofGroup[groups[row]]);
    }
    return new Factors(NDArrays.concat(perRow, 0), keep, unclipped);
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
