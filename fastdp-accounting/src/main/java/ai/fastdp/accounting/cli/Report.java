/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.DeltaBound;
import ai.fastdp.accounting.accountant.EpsilonBound;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;

/** Prints results as JSON or as lines of name and value. */
final class Report {

  private Report() {}

  static Map<String, Object> bounds(EpsilonBound bound) {
    return bounds(bound.lower(), bound.estimate(), bound.upper());
  }

  static Map<String, Object> bounds(DeltaBound bound) {
    return bounds(bound.lower(), bound.estimate(), bound.upper());
  }

  private static Map<String, Object> bounds(
      OptionalDouble lower, OptionalDouble estimate, OptionalDouble upper) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("lower", lower);
    map.put("estimate", estimate);
    map.put("upper", upper);
    return map;
  }

  static void print(PrintWriter out, boolean json, Map<String, Object> result) {
    if (json) {
      out.println(JsonText.of(result));
      return;
    }
    result.forEach((name, value) -> out.println(name + ": " + plain(value)));
  }

  private static String plain(Object value) {
    if (value instanceof Map<?, ?> map) {
      StringBuilder text = new StringBuilder();
      map.forEach(
          (name, part) ->
              text.append(text.isEmpty() ? "" : ", ").append(name).append(' ').append(plain(part)));
      return text.toString();
    }
    if (value instanceof OptionalDouble number) {
      return number.isPresent() ? String.valueOf(number.getAsDouble()) : "unknown";
    }
    return String.valueOf(value);
  }
}
