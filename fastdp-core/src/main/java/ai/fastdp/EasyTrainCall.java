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
  /** EasyTrain trains. */
  TRAINING,
  /** EasyTrain evaluates. */
  EVALUATION,
  /** Somebody else asks. */
  NONE;

  private static final String TRAINER = PrivateTrainer.class.getName();

  /**
   * The call of {@link EasyTrain} that asks the trainer directly. A listener that loops over a data
   * set of its own while EasyTrain trains is somebody else.
   */
  static EasyTrainCall current() {
    return StackWalker.getInstance()
        .walk(
            frames ->
                frames
                    .dropWhile(frame -> !frame.getClassName().equals(TRAINER))
                    .dropWhile(frame -> frame.getClassName().equals(TRAINER))
                    .findFirst())
        .filter(frame -> frame.getClassName().equals(EasyTrain.class.getName()))
        .map(frame -> frame.getMethodName().equals("evaluateDataset") ? EVALUATION : TRAINING)
        .orElse(NONE);
  }
}
