/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.validation;

import ai.djl.nn.norm.BatchNorm;
import ai.fastdp.internal.djl.HiddenField;

/** Reads the settings that DJL's BatchNorm was built with and has no getters for. */
final class BatchNormTraits {
  private static final HiddenField AXIS = HiddenField.of(BatchNorm.class, "axis");
  private static final HiddenField EPSILON = HiddenField.of(BatchNorm.class, "epsilon");

  private BatchNormTraits() {}

  /** The axis of the channels. */
  static int axis(BatchNorm norm) {
    return (int) AXIS.require(norm);
  }

  /** The number that is added to the variance. */
  static float epsilon(BatchNorm norm) {
    return (float) EPSILON.require(norm);
  }
}
