/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Private training of residual networks on images.
 *
 * <p>{@link ai.fastdp.examples.resnet.ResNets} has the models; nothing in them knows of privacy.
 * {@link ai.fastdp.examples.resnet.ResNetCommand} is the program around them.
 */
@NullMarked
package ai.fastdp.examples.resnet;

import org.jspecify.annotations.NullMarked;
