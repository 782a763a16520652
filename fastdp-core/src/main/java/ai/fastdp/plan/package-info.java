/* SPDX-License-Identifier: Apache-2.0 */
/** What a run will do and what it will cost in privacy, decided before it begins. */
@NullMarked
package ai.fastdp.plan;

import org.jspecify.annotations.NullMarked;
