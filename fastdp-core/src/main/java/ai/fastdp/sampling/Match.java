/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.fastdp.internal.hook.SampleAxis;
import ai.fastdp.internal.kernel.FloatType;
import java.util.List;

/** How an array of samples that were loaded in other company compares with the first one. */
enum Match {
  SAME,
  OTHER_VALUES,
  OTHER_SHAPE;

  // Four units in the last place of each element.
  private static final double DOUBLE = 0x1p-50;
  private static final double SINGLE = 0x1p-21;
  private static final double HALF = 0x1p-8;
  private static final double BFLOAT = 0x1p-5;

  /** Compares element by element, up to the rounding of each element's own value. */
  static Match of(NDArray one, NDArray other) {
    if (!one.getShape().equals(other.getShape())) {
      return OTHER_SHAPE;
    }
    if (one.getDataType() != other.getDataType()) {
      return OTHER_VALUES;
    }
    if (one.size() == 0) {
      return SAME;
    }
    try (NDManager manager = one.getManager().newSubManager()) {
      NDArray a = FloatType.readable(one);
      NDArray b = FloatType.readable(other).toDevice(a.getDevice(), false);
      NDArray same = a.eq(b);
      NDArray rest = same.logicalNot();
      List.of(same, rest).forEach(array -> array.attach(manager));
      if (!rest.any().getBoolean()) {
        return SAME;
      }
      if (!FloatType.isFloat(one)) {
        return OTHER_VALUES;
      }
      NDArray bothBroken = a.neq(a).logicalAnd(b.neq(b));
      NDArray close = a.sub(b).abs().lte(a.abs().maximum(b.abs()).mul(rounding(one)));
      return same.logicalOr(bothBroken).logicalOr(close).all().getBoolean() ? SAME : OTHER_VALUES;
    }
  }

  /**
   * Compares up to the rounding of a sample's largest value, as what computes on several samples
   * may round otherwise on one.
   *
   * @param axis the axis of the samples
   */
  static Match ofComputed(NDArray one, NDArray other, SampleAxis axis) {
    Match match = of(one, other);
    if (match != OTHER_VALUES
        || one.getDataType() != other.getDataType()
        || !FloatType.isFloat(one)) {
      return match;
    }
    try (NDManager manager = one.getManager().newSubManager()) {
      NDArray a = perSample(one, axis);
      NDArray b = perSample(other, axis);
      List.of(a, b).forEach(array -> array.attach(manager));
      NDArray largest = a.abs().maximum(b.abs()).max(new int[] {1}, true);
      NDArray close = a.sub(b).abs().lte(largest.mul(rounding(one)));
      NDArray bothBroken = a.neq(a).logicalAnd(b.neq(b));
      return close.logicalOr(bothBroken).logicalOr(a.eq(b)).all().getBoolean() ? SAME : match;
    }
  }

  private static NDArray perSample(NDArray array, SampleAxis axis) {
    NDArray first = axis.toFirst(FloatType.readable(array));
    // A duplicate, as its manager is changed.
    return first.reshape(first.getShape().get(0), -1).duplicate();
  }

  private static double rounding(NDArray array) {
    return switch (array.getDataType()) {
      case FLOAT64 -> DOUBLE;
      case FLOAT32 -> SINGLE;
      case FLOAT16 -> HALF;
      default -> BFLOAT;
    };
  }

  /** What to say of a sample's arrays that are not the same in other company. */
  DependentSampleException refusal(String what) {
    return new DependentSampleException(
        what
            + " must depend for each sample on its own record alone, got "
            + (this == OTHER_SHAPE
                ? "another shape alone than in its batch; pad to a fixed, public length (see"
                    + " PrivacyEngineBuilder.optPadTo)"
                : "other values alone than in its batch; have batchifiers and pipelines work on"
                    + " each sample by itself, with public constants in place of statistics of"
                    + " the batch"));
  }
}
