/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.djl.training.tracker.Tracker;

/** How the learning rate changes in the course of training. */
final class LearningRate {

  /** Part of the steps in which it rises. */
  private static final double WARM_UP = 0.05;

  /** What is left of it at the end. */
  private static final double FINAL = 0.1;

  private LearningRate() {}

  /**
   * Rises linearly and then falls along a cosine.
   *
   * @param largest the largest learning rate
   * @param steps the number of updates
   */
  static Tracker riseAndFall(double largest, int steps) {
    int warmUp = (int) Math.ceil(WARM_UP * steps);
    return Tracker.warmUp()
        .optWarmUpBeginValue((float) (largest / warmUp))
        .optWarmUpSteps(warmUp)
        .setMainTracker(
            Tracker.cosine()
                .setBaseValue((float) largest)
                .optFinalValue((float) (largest * FINAL))
                .setMaxUpdates(Math.max(1, steps - warmUp))
                .build())
        .build();
  }
}
