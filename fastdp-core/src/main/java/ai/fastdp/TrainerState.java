/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import org.jspecify.annotations.Nullable;

/**
 * The state of a trainer, which can be used while it is attached and no step has failed halfway.
 */
final class TrainerState {
  private boolean detached;
  private boolean failed;
  private @Nullable RuntimeException failure;

  /** Checks that the trainer can be used. */
  void requireUsable() {
    if (detached) {
      throw new IllegalStateException("trainer must be attached, got a detached one; attach again");
    }
    if (failed) {
      throw new IllegalStateException(
          "the last step must have succeeded, got one that failed in between; close the trainer and"
              + " attach again by the same engine, which goes on with the rest of the budget",
          failure);
    }
  }

  /**
   * Runs a part of a step that cannot be repeated: if it fails, the step's sum is neither what it
   * was nor what it was to be, and the trainer cannot be used any more.
   */
  void runOnce(Runnable part) {
    failed = true;
    try {
      part.run();
    } catch (RuntimeException e) {
      failure = e;
      throw e;
    }
    failed = false;
  }

  /** Makes the trainer usable again: nothing has come of the part that failed. */
  void undone() {
    failed = false;
    failure = null;
  }

  boolean isFailed() {
    return failed;
  }

  boolean isDetached() {
    return detached;
  }

  void detach() {
    detached = true;
  }
}
