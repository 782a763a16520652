/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.training.EasyTrain;

/**
 * What DJL's {@link EasyTrain} is doing when it asks the trainer for batches.
 *
 * <p>DJL asks for training and for validation data by the same method and says neither which; only
 * the call itself tells them apart before a batch is drawn.
 */
enum EasyTrainCall {
  /** It trains. */
  TRAINING,
  /** It evaluates. */
  EVALUATION,
  /** Somebody else asks. */
  NONE;

  /** The innermost call of {@link EasyTrain} on this thread. */
  static EasyTrainCall current() {
    return StackWalker.getInstance()
        .walk(
            frames ->
                frames
                    .filter(frame -> frame.getClassName().equals(EasyTrain.class.getName()))
                    .findFirst())
        .map(frame -> frame.getMethodName().equals("evaluateDataset") ? EVALUATION : TRAINING)
        .orElse(NONE);
  }
}
