/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import java.security.CodeSource;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/**
 * Which classes' fields are looked at: the user's, and those of DJL's blocks. The JDK, DJL's
 * engine, loggers and fastdp itself are not.
 */
final class Boundary {
  private static final List<String> CLOSED =
      List.of(
          "java.",
          "javax.",
          "jdk.",
          "sun.",
          "com.sun.",
          "ai.djl.",
          "ai.fastdp.accounting.",
          "org.slf4j.",
          "ch.qos.logback.",
          "org.apache.logging.",
          "org.apache.commons.logging.");
  private static final List<String> OPEN = List.of("ai.djl.nn.", "ai.djl.util.Pair");
  private static final Set<String> OWN =
      Set.of(
          "ai.fastdp",
          "ai.fastdp.internal.checkpoint",
          "ai.fastdp.clipping",
          "ai.fastdp.internal.djl",
          "ai.fastdp.internal.ghost",
          "ai.fastdp.internal.hook",
          "ai.fastdp.kernel",
          "ai.fastdp.mechanism",
          "ai.fastdp.loss",
          "ai.fastdp.optimizer",
          "ai.fastdp.plan",
          "ai.fastdp.rule",
          "ai.fastdp.sampling",
          "ai.fastdp.internal.state",
          "ai.fastdp.validation");

  private final Class<?> loss;

  /**
   * @param loss fastdp's type of losses, whose own ones may hold a user's
   */
  Boundary(Class<?> loss) {
    this.loss = loss;
  }

  /** Whether a class's fields are looked at. */
  boolean isOpen(Class<?> type) {
    String name = type.getName();
    if (OPEN.stream().anyMatch(name::startsWith)) {
      return true;
    }
    return CLOSED.stream().noneMatch(name::startsWith) && !isOwn(type);
  }

  /** Whether arrays, collections and the like are looked into where fields are not. */
  boolean hasOpenContent(Class<?> type) {
    String name = type.getName();
    return type.isArray() || name.startsWith("java.") || NDList.class.isAssignableFrom(type);
  }

  /** A user's class may be in a package of the same name, or in one file with fastdp. */
  private boolean isOwn(Class<?> type) {
    String home = type.getPackageName();
    return (OWN.contains(home) || home.startsWith("ai.fastdp.internal."))
        && !Block.class.isAssignableFrom(type)
        && !loss.isAssignableFrom(type)
        && Objects.equals(source(type), source(Boundary.class));
  }

  private static Object source(Class<?> type) {
    CodeSource source = type.getProtectionDomain().getCodeSource();
    return source == null ? type.getModule() : Objects.requireNonNullElse(source.getLocation(), "");
  }
}
