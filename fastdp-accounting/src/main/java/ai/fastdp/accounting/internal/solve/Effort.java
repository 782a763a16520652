/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import java.util.EnumSet;
import java.util.Set;

/** The cost that an answer may have. */
public enum Effort {
  /** A tenth of {@link #FULL} or less; the bounds may be wider. */
  QUICK,
  /** The cost of narrow bounds. */
  FULL,
  /** A higher cost, because no method has an answer otherwise. */
  LAST_RESORT;

  /** {@return this effort and the larger ones, in increasing order} */
  Set<Effort> andMore() {
    return EnumSet.range(this, LAST_RESORT);
  }
}
