/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.nn.Parameter;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.internal.pass.BookKeeper;

/** How far apart two computations of the same number may be, by the model's types. */
final class Tolerance {
  /** What float64 leaves of the rounding of a deep model, with three digits to spare. */
  static final double WIDE = 1e-9;

  /** Below it, two numbers of float32 are no reason for a second look. */
  static final double UNDOUBTED = 1e-6;

  /** Float32 through a deep model agrees to 1e-5; reduced-precision matrix units to 1e-3. */
  static final double FLOAT32 = 5e-3;

  // Units in the last place of 11 and 8 bits, times what a deep model makes of them.
  private static final double FLOAT16 = 3e-2;
  private static final double BFLOAT16 = 0.2;
  private static final double SMALLEST_LOSS = 1e-3;

  private Tolerance() {}

  /** What the widest rounding among the model's parameters allows. */
  static double of(BookKeeper bookKeeper) {
    double widest = FLOAT32;
    for (Parameter parameter : bookKeeper.model().getBlock().getParameters().values()) {
      if (parameter.isInitialized()) {
        FloatType type =
            FloatType.of(bookKeeper.kernels(), parameter.getArray()).orElse(FloatType.FLOAT32);
        widest =
            Math.max(
                widest,
                switch (type) {
                  case FLOAT32 -> FLOAT32;
                  case FLOAT16 -> FLOAT16;
                  case BFLOAT16 -> BFLOAT16;
                });
      }
    }
    return widest;
  }

  /** The relative difference of two losses; infinite where one of them alone is finite. */
  static double difference(double one, double other) {
    if (!Double.isFinite(one) && !Double.isFinite(other)) {
      return 0;
    }
    double size = Math.max(SMALLEST_LOSS, Math.max(Math.abs(one), Math.abs(other)));
    return Double.isFinite(one) && Double.isFinite(other)
        ? Math.abs(one - other) / size
        : Double.POSITIVE_INFINITY;
  }
}
