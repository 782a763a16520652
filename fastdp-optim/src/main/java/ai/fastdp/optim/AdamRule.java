/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.fastdp.optim.ListOptimizer.Rule;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The update that {@link DpAdam} and {@link DpAdamW} share.
 *
 * @param beta1 \(\beta_1\)
 * @param beta2 \(\beta_2\)
 * @param epsilon \(\epsilon\)
 * @param weightDecay \(\lambda\)
 * @param decoupled whether the decay is apart from the gradient
 * @param noiseFloor \(\gamma'\), or null for no correction of the second moment
 */
record AdamRule(
    float beta1,
    float beta2,
    float epsilon,
    float weightDecay,
    boolean decoupled,
    @Nullable Float noiseFloor) {
  static final String MEAN = "mean";
  static final String VARIANCE = "variance";

  /** The noise variance, averaged as the second moment is. */
  private static final String NOISE_VARIANCE = "noiseVariance";

  Rule rule(String kind) {
    return new Rule(
        kind, List.of(MEAN, VARIANCE), noiseFloor == null ? List.of() : List.of(NOISE_VARIANCE));
  }

  void apply(Update update) {
    double correction1 = 1 - Math.pow(beta1, update.number());
    double correction2 = 1 - Math.pow(beta2, update.number());
    if (noiseFloor == null) {
      update.run(
          "adam",
          update.weights(),
          update.gradients(),
          update.array(MEAN),
          update.array(VARIANCE),
          update.counts(update.weights().size()),
          update.learningRate(),
          (double) beta1,
          (double) beta2,
          (double) weightDecay,
          // DJL adds epsilon to the root of the uncorrected second moment, the kernel to that of
          // the corrected one.
          epsilon / Math.sqrt(correction2),
          decoupled);
      return;
    }
    // The deviation may change from step to step: its square goes through the same average as the
    // squared gradients.
    double noise =
        beta2 * update.numberOf(NOISE_VARIANCE)
            + (1 - beta2) * update.noiseDeviation() * update.noiseDeviation();
    update.setNumber(NOISE_VARIANCE, noise);
    update.run(
        "adam_noise_corrected",
        update.weights(),
        update.gradients(),
        update.array(MEAN),
        update.array(VARIANCE),
        update.learningRate(),
        (double) beta1,
        (double) beta2,
        (double) weightDecay,
        decoupled,
        correction1,
        correction2,
        noise / correction2,
        (double) noiseFloor,
        update.block());
  }
}
