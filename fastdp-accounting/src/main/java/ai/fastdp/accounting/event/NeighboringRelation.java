/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

/** The pairs of data sets that must be hard to tell apart. */
public enum NeighboringRelation {
  /** One data set has one record more than the other. */
  ADD_OR_REMOVE_ONE,
  /** One record has another value; the number of records is the same. */
  REPLACE_ONE,
  /** One record is replaced by a record that contributes zero ("zero-out"). */
  REPLACE_SPECIAL
}
