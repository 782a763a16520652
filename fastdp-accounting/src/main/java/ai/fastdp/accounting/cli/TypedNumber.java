/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import java.math.BigDecimal;
import picocli.CommandLine.TypeConversionException;

/**
 * A number as papers print it: 1000, 1e6, 0.01 or 1/60.
 *
 * @param text as typed
 */
record TypedNumber(String text) {

  /** The nearest double; the check of an option sees NaN, too. */
  double real() {
    if (text.equalsIgnoreCase("nan")) {
      return Double.NaN;
    }
    try {
      int slash = text.indexOf('/');
      return slash < 0
          ? Double.parseDouble(text)
          : Double.parseDouble(text.substring(0, slash))
              / Double.parseDouble(text.substring(slash + 1));
    } catch (NumberFormatException e) {
      throw new TypeConversionException("must be a number such as 0.01, 1e-5 or 1/60, got " + text);
    }
  }

  /** Returns the whole number; nothing is rounded. */
  long whole() {
    try {
      int slash = text.indexOf('/');
      BigDecimal value =
          slash < 0
              ? new BigDecimal(text)
              : new BigDecimal(text.substring(0, slash))
                  .divide(new BigDecimal(text.substring(slash + 1)));
      return value.longValueExact();
    } catch (NumberFormatException | ArithmeticException e) {
      throw new TypeConversionException(
          "must be a whole number below 2^63, such as 1000 or 1e6, got " + text);
    }
  }
}
