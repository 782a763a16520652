/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.util.Map;
import java.util.TreeMap;

/**
 * Remembers which streams of a source have been opened, so that no noise is given out twice.
 *
 * <p>Streams are opened almost in order, those of even and of odd numbers each for themselves. Runs
 * of consecutive numbers are kept as ranges, so that the memory does not grow with the steps. Safe
 * for use by several threads.
 */
final class OpenedStreams {
  // First to last number of each range of opened streams, halved; for even and for odd numbers.
  private final TreeMap<Long, Long> even = new TreeMap<>();
  private final TreeMap<Long, Long> odd = new TreeMap<>();

  /**
   * Notes that a stream is opened.
   *
   * @throws IllegalArgumentException if the number is negative
   * @throws IllegalStateException if the stream has been opened before
   */
  synchronized void open(long index) {
    if (index < 0) {
      throw new IllegalArgumentException("index must be >= 0, got " + index);
    }
    TreeMap<Long, Long> ranges = index % 2 == 0 ? even : odd;
    long number = index / 2;
    Map.Entry<Long, Long> before = ranges.floorEntry(number);
    if (before != null && before.getValue() >= number) {
      throw new IllegalStateException(
          "a stream of noise must be opened once, got stream "
              + index
              + " again, which would repeat noise that was released; make another source");
    }
    long first = before != null && before.getValue() == number - 1 ? before.getKey() : number;
    Long last = ranges.remove(number + 1);
    ranges.put(first, last == null ? number : last);
  }

  /** The number of ranges that are kept. */
  synchronized int ranges() {
    return even.size() + odd.size();
  }
}
