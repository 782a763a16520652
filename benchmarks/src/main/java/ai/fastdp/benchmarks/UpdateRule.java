/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.fastdp.optim.DpAdagrad;
import ai.fastdp.optim.DpAdam;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.optim.DpLamb;
import ai.fastdp.optim.DpRmsprop;
import ai.fastdp.optim.DpSgd;
import ai.fastdp.optimizer.DpOptimizer;
import org.jspecify.annotations.Nullable;

/** The update rules that are timed, with the fused kernel of PyTorch's that each is held to. */
enum UpdateRule {
  SGD("sgd", 0),
  MOMENTUM("momentum", 1),
  NESTEROV("nesterov", 1),
  ADAM("adam", 2),
  ADAMW("adamw", 2),
  ADAGRAD("adagrad", 1),
  /** Without a fused kernel: held to AdamW's. */
  ADAMW_NOISE_CORRECTED("adamw", 2),
  /** Without a fused kernel: held to AdamW's. */
  RMSPROP("adamw", 2),
  /** Without a fused kernel: held to AdamW's. */
  LAMB("adamw", 2);

  private static final float RATE = 1e-4f;
  private static final float MOMENTUM_FACTOR = 0.9f;

  private final String kernel;
  private final int stateArrays;

  UpdateRule(String kernel, int stateArrays) {
    this.kernel = kernel;
    this.stateArrays = stateArrays;
  }

  /** The method of {@code fused.torchscript}. */
  String kernel() {
    return kernel;
  }

  /** How many arrays that kernel keeps beside each parameter. */
  int stateArrays() {
    return stateArrays;
  }

  DpOptimizer fastdp() {
    return switch (this) {
      case SGD -> DpSgd.builder().setLearningRate(RATE).build();
      case MOMENTUM -> DpSgd.builder().setLearningRate(RATE).optMomentum(MOMENTUM_FACTOR).build();
      case NESTEROV ->
          DpSgd.builder()
              .setLearningRate(RATE)
              .optMomentum(MOMENTUM_FACTOR)
              .optNesterov(true)
              .build();
      case ADAM -> DpAdam.builder().optLearningRate(RATE).build();
      case ADAMW -> DpAdamW.builder().optLearningRate(RATE).build();
      case ADAGRAD -> DpAdagrad.builder().optLearningRate(RATE).build();
      case ADAMW_NOISE_CORRECTED ->
          DpAdamW.builder().optLearningRate(RATE).optNoiseCorrection(1e-8f).build();
      case RMSPROP -> DpRmsprop.builder().optLearningRate(RATE).build();
      case LAMB -> DpLamb.builder().optLearningRate(RATE).build();
    };
  }

  /** DJL's own optimizer, or null where it has none for PyTorch. */
  @Nullable Optimizer djl() {
    Tracker rate = Tracker.fixed(RATE);
    return switch (this) {
      case SGD -> Optimizer.sgd().setLearningRateTracker(rate).build();
      case MOMENTUM ->
          Optimizer.sgd().setLearningRateTracker(rate).optMomentum(MOMENTUM_FACTOR).build();
      case ADAM -> Optimizer.adam().optLearningRateTracker(rate).build();
      case ADAMW -> Optimizer.adamW().optLearningRateTracker(rate).build();
      default -> null;
    };
  }
}
