/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import java.util.Map;
import java.util.OptionalDouble;

/**
 * Writes maps, numbers, strings, booleans and absent numbers as JSON; infinite numbers are strings.
 */
final class JsonText {

  private final StringBuilder text = new StringBuilder();

  private JsonText() {}

  static String of(Object value) {
    JsonText json = new JsonText();
    json.write(value);
    return json.text.toString();
  }

  private void write(Object value) {
    if (value instanceof OptionalDouble number) {
      write(number.isPresent() ? (Object) number.getAsDouble() : "");
    } else if (value instanceof Map<?, ?> map) {
      list('{', '}', map.entrySet());
    } else if (value instanceof Map.Entry<?, ?> entry) {
      string(String.valueOf(entry.getKey()));
      text.append(": ");
      if (entry.getValue() instanceof OptionalDouble number && number.isEmpty()) {
        text.append("null");
      } else {
        write(entry.getValue());
      }
    } else if (value instanceof Iterable<?> items) {
      list('[', ']', items);
    } else if (value instanceof Double number && !(Math.abs(number) < Double.POSITIVE_INFINITY)) {
      string(String.valueOf(number));
    } else if (value instanceof Number || value instanceof Boolean) {
      text.append(value);
    } else {
      string(String.valueOf(value));
    }
  }

  private void list(char open, char close, Iterable<?> items) {
    text.append(open);
    String separator = "";
    for (Object item : items) {
      text.append(separator);
      write(item);
      separator = ", ";
    }
    text.append(close);
  }

  private void string(String value) {
    text.append('"');
    for (int i = 0; i < value.length(); i++) {
      char character = value.charAt(i);
      if (character == '"' || character == '\\') {
        text.append('\\').append(character);
      } else if (character < ' ') {
        text.append(String.format("\\u%04x", (int) character));
      } else {
        text.append(character);
      }
    }
    text.append('"');
  }
}
