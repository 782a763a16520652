/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * Reads reference values: tab-separated, comments start with #, the first other line names columns.
 */
public final class GoldenTable {

  private GoldenTable() {}

  /** One line of a table. */
  public record Row(List<String> columns, List<String> cells) {

    public String text(String column) {
      int index = columns.indexOf(column);
      if (index < 0) {
        throw new IllegalArgumentException("column must be one of " + columns + ", got " + column);
      }
      return cells.get(index);
    }

    public double number(String column) {
      return Double.parseDouble(text(column));
    }

    public long integer(String column) {
      return Long.parseLong(text(column));
    }

    @Override
    public String toString() {
      return String.join(" ", cells);
    }
  }

  public static List<Row> read(String name) {
    try (InputStream in =
        Objects.requireNonNull(GoldenTable.class.getResourceAsStream(name), name)) {
      List<String> columns = List.of();
      List<Row> rows = new ArrayList<>();
      for (String line : new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\n", -1)) {
        if (line.isBlank() || line.startsWith("#")) {
          continue;
        }
        List<String> cells = Arrays.asList(line.split("\t", -1));
        if (columns.isEmpty()) {
          columns = cells;
        } else {
          rows.add(new Row(columns, cells));
        }
      }
      return rows;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
