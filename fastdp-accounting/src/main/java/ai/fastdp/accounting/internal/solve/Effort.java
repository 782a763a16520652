/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import java.util.Arrays;
import java.util.List;

/** How much an answer may cost. */
public enum Effort {
  /** A tenth of {@link #FULL} or less; the bounds may be wider. */
  QUICK,
  /** As much as narrow bounds need. */
  FULL,
  /** More than that, because no method had an answer. */
  LAST_RESORT;

  /** {@return this effort and the larger ones, in increasing order} */
  List<Effort> andMore() {
    return Arrays.asList(values()).subList(ordinal(), values().length);
  }
}
