/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.tracker.Tracker;
import ai.fastdp.mechanism.PrivatizedGradient;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The update that {@link DpAdam} and {@link DpAdamW} share, with its moments. */
final class Adam implements AutoCloseable {
  private final Settings settings;
  private @Nullable UpdateKernels kernels;
  private @Nullable List<NDArray> means;
  private @Nullable List<NDArray> variances;
  private int updates;

  record Settings(
      Tracker learningRate,
      float beta1,
      float beta2,
      float epsilon,
      float weightDecay,
      boolean decoupled) {
    Settings {
      Objects.requireNonNull(learningRate, "learningRate");
      Hyperparameters.belowOne("beta1", beta1);
      Hyperparameters.belowOne("beta2", beta2);
      Hyperparameters.positive("epsilon", epsilon);
      Hyperparameters.nonNegative("weightDecay", weightDecay);
    }
  }

  Adam(Settings settings) {
    this.settings = settings;
  }

  void update(PrivatizedGradient gradient) {
    UpdateKernels update = kernels;
    if (update == null) {
      update = UpdateKernels.forParametersOf(gradient);
      means = update.zeros();
      variances = update.zeros();
      kernels = update;
    }
    updates++;
    float learningRate =
        Hyperparameters.nonNegative("learningRate", settings.learningRate().getNewValue(updates));
    // DJL adds epsilon to the root of the uncorrected second moment, the kernel to that of the
    // corrected one.
    double correction = Math.sqrt(1 - Math.pow(settings.beta2(), updates));
    try (NDManager scope = update.newScope()) {
      update.run(
          scope,
          "adam",
          update.weights(gradient),
          gradient.gradients(),
          Objects.requireNonNull(means),
          Objects.requireNonNull(variances),
          update.counts(scope, updates),
          (double) learningRate,
          (double) settings.beta1(),
          (double) settings.beta2(),
          (double) settings.weightDecay(),
          settings.epsilon() / correction,
          settings.decoupled());
    }
  }

  @Override
  public void close() {
    if (kernels != null) {
      kernels.close();
    }
  }
}
