/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.pass;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reports a path in the graph that goes around cuts: the graph must not be cut there. */
final class BypassedCutException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  private final transient List<String> paths;

  /**
   * @param paths the blocks whose cuts must go
   */
  BypassedCutException(List<String> paths, @Nullable Throwable cause) {
    super(
        "the model's graph must be cut as in its first pass, got a path around the outputs of"
            + " blocks "
            + paths
            + "; set PerformanceOptions.withWholeGraph() by optPerformance on the engine's builder,"
            + " or keep the structure of the model the same in every pass",
        cause);
    this.paths = List.copyOf(paths);
  }

  List<String> paths() {
    return paths;
  }
}
