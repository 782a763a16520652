/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** That a stream of noise is given out once, and what remembering it costs. */
final class OpenedStreamsTest {
  private static void assertRefused(OpenedStreams opened, long index) {
    assertThatThrownBy(() -> opened.open(index))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("must be opened once, got stream " + index + " again");
  }

  @Test
  void open_anyOrder_everyNumberOnce() {
    List<Long> numbers = new ArrayList<>(LongStream.range(0, 400).boxed().toList());
    Collections.shuffle(numbers, new Random(1));
    OpenedStreams opened = new OpenedStreams();
    for (long number : numbers) {
      opened.open(number);
      assertRefused(opened, number);
    }
    numbers.forEach(number -> assertRefused(opened, number));
    assertThat(opened.ranges()).isEqualTo(2);
    opened.open(400);
  }

  @Test
  void open_gaps_leaveTheNumbersBetweenFree() {
    OpenedStreams opened = new OpenedStreams();
    for (long number : new long[] {4, 0, 8}) {
      opened.open(number);
    }
    assertThat(opened.ranges()).isEqualTo(3);
    opened.open(2);
    opened.open(6);
    assertThat(opened.ranges()).isEqualTo(1);
    opened.open(1);
    for (long number : new long[] {0, 1, 2, 4, 6, 8}) {
      assertRefused(opened, number);
    }
    opened.open(Long.MAX_VALUE);
    opened.open(Long.MAX_VALUE - 1);
    assertRefused(opened, Long.MAX_VALUE);
  }

  @Test
  void open_longRunOfEvenAndOdd_memoryStaysTheSame() {
    OpenedStreams opened = new OpenedStreams();
    for (long step = 0; step < 10_000; step++) {
      opened.open(2 * step);
      opened.open(2 * step + 1);
    }
    assertThat(opened.ranges()).isEqualTo(2);
  }

  @Test
  void open_negative_isRefused() {
    assertThatThrownBy(() -> new OpenedStreams().open(-1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("index must be >= 0, got -1");
  }

  @Test
  void open_severalThreadsAskForTheSame_oneGetsIt() throws Exception {
    OpenedStreams opened = new OpenedStreams();
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Callable<Integer>> tasks = Collections.nCopies(4, () -> openAll(opened));
      int given = 0;
      for (Future<Integer> result : threads.invokeAll(tasks)) {
        given += result.get();
      }
      assertThat(given).isEqualTo(2_000);
      assertThat(opened.ranges()).isEqualTo(2);
    } finally {
      threads.shutdown();
    }
  }

  private static int openAll(OpenedStreams opened) {
    int given = 0;
    for (long number = 0; number < 2_000; number++) {
      try {
        opened.open(number);
        given++;
      } catch (IllegalStateException e) {
        // Another thread has it.
      }
    }
    return given;
  }

  @Test
  void stream_sameNumberAgain_isRefusedBySourcesOfBothKinds() {
    for (NoiseSource source : List.of(NoiseSource.secure(), NoiseSource.repeatable(1))) {
      source.stream(3);
      source.stream(2);
      assertThatThrownBy(() -> source.stream(3)).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void stream_twoSources_secureDifferAndSeededAgree() {
    assertThat(bits(NoiseSource.secure(), 5)).isNotEqualTo(bits(NoiseSource.secure(), 5));
    assertThat(bits(NoiseSource.repeatable(1), 5)).isEqualTo(bits(NoiseSource.repeatable(1), 5));
    assertThat(bits(NoiseSource.repeatable(1), 5)).isNotEqualTo(bits(NoiseSource.repeatable(2), 5));
    assertThat(bits(NoiseSource.repeatable(1), 5)).isNotEqualTo(bits(NoiseSource.repeatable(1), 6));
  }

  private static byte[] bits(NoiseSource source, long index) {
    byte[] bytes = new byte[64];
    source.stream(index).fill(bytes);
    return bytes;
  }
}
