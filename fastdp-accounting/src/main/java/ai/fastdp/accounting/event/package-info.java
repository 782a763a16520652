/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a mechanism does to the data, as values: releases, sampling and composition, and the
 * relation between neighboring data sets. Accountants read them, ledgers write them.
 */
@NullMarked
package ai.fastdp.accounting.event;

import org.jspecify.annotations.NullMarked;
