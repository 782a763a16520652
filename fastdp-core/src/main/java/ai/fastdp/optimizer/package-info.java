/* SPDX-License-Identifier: Apache-2.0 */
/** What turns a privatized gradient into an update. */
@NullMarked
package ai.fastdp.optimizer;

import org.jspecify.annotations.NullMarked;
