/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Records of the privacy spent: charged before a release, refused beyond the budget, kept in a file
 * that survives crashes.
 */
@NullMarked
package ai.fastdp.accounting.ledger;

import org.jspecify.annotations.NullMarked;
