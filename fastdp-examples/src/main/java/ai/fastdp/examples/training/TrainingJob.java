/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.djl.Model;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.fastdp.loss.PerSampleLoss;

/**
 * A model and what it learns from.
 *
 * @param model an initialized model
 * @param dataset the samples; gives shuffled batches, as often as needed, to ordinary training
 * @param loss the loss of each sample
 * @param inputShape the shape of an input of one sample
 * @param views the views of a sample: data are (B, views, ...), or (B, ...) if it is 1
 */
public record TrainingJob(
    Model model, RandomAccessDataset dataset, PerSampleLoss loss, Shape inputShape, int views) {}
