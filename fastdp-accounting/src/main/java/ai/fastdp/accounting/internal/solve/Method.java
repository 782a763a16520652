/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import java.util.Locale;

/** How a number was found. */
public enum Method {
  /** A formula. */
  CLOSED_FORM,
  /** The contour integral of the characteristic function. */
  CONTOUR,
  /** The tilted discretization, composed by FFT. */
  TILTED_FFT,
  /** Nothing but Chernoff's upper bound could be had. */
  CHERNOFF;

  /** {@return the name in lower case, as reports print it} */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
