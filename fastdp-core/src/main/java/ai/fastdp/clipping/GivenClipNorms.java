/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import java.util.List;
import java.util.OptionalDouble;

/**
 * A grouping with a given clip norm for each group.
 *
 * <p>The clip norm of the whole contribution is \(R = \sqrt{\sum_m R_m^2}\). Where R changes from
 * step to step (a schedule, adaptive clipping), the groups' clip norms keep their proportions.
 *
 * @param grouping which parameters are in which group
 * @param norms \(R_1..R_K\), each finite and greater than 0
 */
public record GivenClipNorms(ClippingStyle grouping, List<Double> norms) implements ClippingStyle {
  /**
   * Validates the clip norms.
   *
   * @param grouping which parameters are in which group
   * @param norms \(R_1..R_K\), each finite and greater than 0, at least one
   * @throws IllegalArgumentException if that does not hold, or the grouping has clip norms already
   */
  public GivenClipNorms {
    norms = List.copyOf(norms);
    if (grouping.clipNorm().isPresent()) {
      throw new IllegalArgumentException("clipNorms must be given once, got them before");
    }
    if (norms.isEmpty()) {
      throw new IllegalArgumentException("clipNorms must have one number for each group, got none");
    }
    for (double norm : norms) {
      if (!(norm > 0) || norm == Double.POSITIVE_INFINITY) {
        throw new IllegalArgumentException("clipNorms must be finite and > 0, got " + norm);
      }
    }
    if (!(root(norms) < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "clipNorms must have a finite root of the sum of squares, got " + norms);
    }
  }

  @Override
  public int[] groups(List<String> parameters) {
    return grouping.groups(parameters);
  }

  @Override
  public double[] clipNorms(double clipNorm, int groups) {
    if (groups != norms.size()) {
      throw new IllegalArgumentException(
          "clipNorms must have one number for each of the "
              + groups
              + " groups, got "
              + norms.size());
    }
    double whole = root(norms);
    return norms.stream().mapToDouble(norm -> norm / whole * clipNorm).toArray();
  }

  @Override
  public OptionalDouble clipNorm() {
    return OptionalDouble.of(root(norms));
  }

  private static double root(List<Double> norms) {
    return Math.sqrt(norms.stream().mapToDouble(norm -> norm * norm).sum());
  }
}
