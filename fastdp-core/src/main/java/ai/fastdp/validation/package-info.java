/* SPDX-License-Identifier: Apache-2.0 */
/** Whether a model can be trained privately, why not, and what to do about it. */
@NullMarked
package ai.fastdp.validation;

import org.jspecify.annotations.NullMarked;
