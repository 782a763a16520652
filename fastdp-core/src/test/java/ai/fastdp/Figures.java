/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The largest value seen of each measured figure, logged as it grows (level info). */
final class Figures {
  private static final Logger LOGGER = LoggerFactory.getLogger(Figures.class);
  private static final ConcurrentHashMap<String, Double> LARGEST = new ConcurrentHashMap<>();

  private Figures() {}

  static void report(String name, double value) {
    double largest = LARGEST.merge(name, value, Math::max);
    if (largest == value) {
      LOGGER.info("{}: {}", name, value);
    }
  }
}
