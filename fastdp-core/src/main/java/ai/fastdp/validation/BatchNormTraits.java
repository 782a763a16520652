/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.validation;

import ai.djl.nn.norm.BatchNorm;
import java.lang.reflect.Field;

/** What DJL's BatchNorm was built with and does not tell. */
final class BatchNormTraits {
  private static final Field AXIS = field("axis");
  private static final Field EPSILON = field("epsilon");

  private BatchNormTraits() {}

  /** The axis of the channels. */
  static int axis(BatchNorm norm) {
    try {
      return AXIS.getInt(norm);
    } catch (IllegalAccessException e) {
      throw new LinkageError("BatchNorm.axis is not accessible", e);
    }
  }

  /** What is added to the variance. */
  static float epsilon(BatchNorm norm) {
    try {
      return EPSILON.getFloat(norm);
    } catch (IllegalAccessException e) {
      throw new LinkageError("BatchNorm.epsilon is not accessible", e);
    }
  }

  private static Field field(String name) {
    try {
      Field field = BatchNorm.class.getDeclaredField(name);
      field.setAccessible(true);
      return field;
    } catch (NoSuchFieldException e) {
      throw new LinkageError("this version of DJL keeps BatchNorm's " + name + " elsewhere", e);
    }
  }
}
