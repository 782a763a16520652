/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

/**
 * How a model learns from the private samples.
 *
 * @param datasetSize the number of samples, public
 * @param publicDatasetSize whether that number was declared, and not read off the data
 * @param batchSize expected number of samples in an update
 * @param physicalBatchSize samples that go through the model at once
 * @param steps number of updates
 * @param learningRate the largest learning rate
 * @param epsilon target epsilon
 * @param delta target delta
 * @param clipNorm bound on the contribution of a sample
 * @param clipping how it is bounded
 */
public record FineTuning(
    int datasetSize,
    boolean publicDatasetSize,
    int batchSize,
    int physicalBatchSize,
    int steps,
    double learningRate,
    double epsilon,
    double delta,
    double clipNorm,
    TrainingOptions.Clipping clipping) {

  OrdinaryTraining.Schedule schedule() {
    return new OrdinaryTraining.Schedule(steps, physicalBatchSize, learningRate);
  }
}
