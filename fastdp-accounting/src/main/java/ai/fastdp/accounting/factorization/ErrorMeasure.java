/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/** How the errors of the T steps are put together. */
public enum ErrorMeasure {
  /** The mean of the squared errors of all steps. */
  MEAN_SQUARED,
  /** The largest squared error of a step. */
  MAX_SQUARED
}
