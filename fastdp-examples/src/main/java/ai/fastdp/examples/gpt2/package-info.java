/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Private fine-tuning of a GPT-2 written in DJL blocks.
 *
 * <p>{@link ai.fastdp.examples.gpt2.Gpt2} is the model; nothing in it knows of privacy. {@link
 * ai.fastdp.examples.gpt2.Gpt2Command} is the program around it.
 */
@NullMarked
package ai.fastdp.examples.gpt2;

import org.jspecify.annotations.NullMarked;
