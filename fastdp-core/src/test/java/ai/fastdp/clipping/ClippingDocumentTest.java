/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The tables of docs/clipping.md list every function and every style, and nothing else. */
final class ClippingDocumentTest {
  private static final Pattern TYPE_COLUMN =
      Pattern.compile("^\\|[^|]*\\| `(\\w+)` \\|", Pattern.MULTILINE);

  @Test
  void tables_listEveryFunctionAndStyle() throws IOException {
    TreeSet<String> expected = new TreeSet<>();
    for (Class<?> family : new Class<?>[] {ClippingFunction.class, ClippingStyle.class}) {
      Arrays.stream(family.getPermittedSubclasses())
          .map(Class::getSimpleName)
          .forEach(expected::add);
    }
    TreeSet<String> listed = new TreeSet<>();
    Matcher rows = TYPE_COLUMN.matcher(Files.readString(Path.of("..", "docs", "clipping.md")));
    while (rows.find()) {
      listed.add(rows.group(1));
    }
    assertThat(listed).isEqualTo(expected);
  }
}
