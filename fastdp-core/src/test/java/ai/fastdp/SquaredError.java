/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.fastdp.loss.PerSampleLoss;

/** Half the sum over a sample of squared differences to its labels. */
final class SquaredError implements PerSampleLoss {
  @Override
  public NDArray evaluate(NDList labels, NDList predictions) {
    NDArray output = predictions.head();
    long batchSize = output.getShape().get(0);
    NDArray difference =
        output.reshape(batchSize, -1).sub(labels.head().reshape(batchSize, -1)).square();
    return difference.sum(new int[] {1}).mul(0.5f);
  }
}
