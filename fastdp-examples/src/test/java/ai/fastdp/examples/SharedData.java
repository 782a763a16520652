/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import java.nio.file.Files;
import java.nio.file.Path;

/** Real data beside the checkout: used by the tests where it is there. */
public final class SharedData {

  private SharedData() {}

  /**
   * Returns {@code ../shared/data/name} relative to the root of the repository, which is the
   * nearest directory above with a Maven wrapper; the path may not exist.
   */
  public static Path path(String name) {
    Path root = Path.of("").toAbsolutePath();
    while (root != null && !Files.exists(root.resolve("mvnw"))) {
      root = root.getParent();
    }
    return root == null
        ? Path.of("no-shared-data")
        : root.resolveSibling("shared").resolve("data").resolve(name);
  }
}
