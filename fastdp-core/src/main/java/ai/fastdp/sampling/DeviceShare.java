/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.training.dataset.Batch;

/**
 * The part of a micro-batch that one device works on.
 *
 * @param device the number of the device among the trainer's, from 0
 * @param batch the samples, on the device
 */
public record DeviceShare(int device, Batch batch) {}
