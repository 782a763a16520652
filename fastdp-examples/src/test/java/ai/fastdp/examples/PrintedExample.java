/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/** Lines of a test between two comments, as a document prints them. */
final class PrintedExample {
  private PrintedExample() {}

  /** The lines between two lines {@code // marker}, as a block of Java in Markdown. */
  static String of(Path source, String marker) throws IOException {
    List<String> lines =
        Files.readAllLines(source).stream()
            .dropWhile(line -> !line.strip().equals("// " + marker))
            .skip(1)
            .takeWhile(line -> !line.strip().equals("// " + marker))
            .toList();
    int indent = lines.get(0).length() - lines.get(0).stripLeading().length();
    return lines.stream()
        .map(line -> line.isEmpty() ? line : line.substring(indent))
        .collect(Collectors.joining("\n", "```java\n", "\n```"));
  }
}
