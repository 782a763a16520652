/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * A batch in which some samples keep their places and copies of other samples stand in the places
 * of the rest.
 */
final class Company {
  private final long[] rows;

  private Company(long[] rows) {
    this.rows = rows;
  }

  /**
   * Two of them, in which every sample of a batch of at least two keeps its place once. The rest
   * are random samples, or all the same one, by chance.
   */
  static List<Company> halves(int samples, SecureRandom random) {
    List<Integer> order = new ArrayList<>(IntStream.range(0, samples).boxed().toList());
    Collections.shuffle(order, random);
    int half = samples / 2;
    return List.of(
        replacing(order.subList(0, half), samples, random),
        replacing(order.subList(half, samples), samples, random));
  }

  private static Company replacing(List<Integer> places, int samples, SecureRandom random) {
    long[] rows = LongStream.range(0, samples).toArray();
    boolean alike = random.nextBoolean();
    int one = random.nextInt(samples);
    for (int place : places) {
      // Never by itself, which would be no change.
      int other = (place + 1 + random.nextInt(samples - 1)) % samples;
      rows[place] = alike && one != place ? one : other;
    }
    return new Company(rows);
  }

  /** The sample at each place. */
  long[] rows() {
    return rows.clone();
  }

  boolean keeps(int place) {
    return rows[place] == place;
  }

  /** The places that have their own samples. */
  int[] kept() {
    return IntStream.range(0, rows.length).filter(this::keeps).toArray();
  }
}
