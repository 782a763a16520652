/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * The random numbers of step after step, in chunks that worker threads draw.
 *
 * <p>Chunk n comes from the source's stream n, so that the numbers do not depend on how many
 * threads draw them or how far ahead. A chunk is handed out once, and its stream is never opened
 * again. The buffers are a ring: chunks are drawn ahead as far as it goes, into the next steps too.
 * Buffers and threads are made when the first chunks are drawn.
 */
final class NoiseChunks implements AutoCloseable {
  /** Numbers in a chunk: 1 MiB, within the second-level cache. */
  static final int CHUNK = 1 << 18;

  /** Makes the numbers of a chunk from a stream's bits. */
  @FunctionalInterface
  interface Drawing {
    /** Writes {@code count} numbers at the beginning of a chunk. */
    void draw(NoiseSource.Bits bits, ByteBuffer chunk, int count);
  }

  private final NoiseSource source;
  private final int bytesPerNumber;
  private final int threads;
  private final long ahead;
  private final ArrayDeque<ByteBuffer> free = new ArrayDeque<>();
  private final ArrayDeque<Future<ByteBuffer>> underWay = new ArrayDeque<>();
  private @Nullable ExecutorService workers;
  private long perStep;
  private long next;
  private long taken;
  private long singles;
  private boolean drawn;

  /**
   * Creates the chunks of a source; draws nothing yet.
   *
   * @param source the bits
   * @param bytesPerNumber how many bytes a number has
   * @param ahead how many numbers may lie ready
   */
  NoiseChunks(NoiseSource source, int bytesPerNumber, long ahead) {
    this.source = source;
    this.bytesPerNumber = bytesPerNumber;
    this.ahead = ahead;
    threads = Runtime.getRuntime().availableProcessors();
  }

  /** In how many chunks so many numbers come. */
  static long count(long numbers) {
    return (numbers + CHUNK - 1) / CHUNK;
  }

  /**
   * Leaves out the streams that an earlier run has used.
   *
   * @throws IllegalStateException if anything has been drawn
   */
  void skip(NoisePosition position) {
    NoisePosition.requireUnused(drawn);
    next = position.chunks();
    taken = position.chunks();
    singles = position.singles();
  }

  /** What has been used up, by earlier runs too. */
  NoisePosition position() {
    return new NoisePosition(taken, singles);
  }

  /**
   * Starts drawing, as far ahead as there are buffers and before the end of {@code chunks}.
   *
   * @param numbers how many numbers a step takes, always the same
   * @param chunks how many chunks may be under way
   * @param drawing makes the numbers
   */
  void start(long numbers, long chunks, Drawing drawing) {
    ExecutorService pool = workers(numbers);
    while (!free.isEmpty() && underWay.size() < chunks) {
      ByteBuffer buffer = free.remove();
      long index = next++;
      underWay.add(pool.submit(() -> draw(index, buffer, drawing)));
    }
  }

  private ExecutorService workers(long numbers) {
    ExecutorService pool = workers;
    if (pool != null) {
      if (numbers != perStep) {
        throw new IllegalArgumentException(
            "sums must all have " + perStep + " coordinates, got " + numbers);
      }
      return pool;
    }
    drawn = true;
    perStep = numbers;
    int size = (int) Math.min(CHUNK, numbers) * bytesPerNumber;
    int drawing = (int) Math.min(threads, count(numbers));
    // One chunk for each thread and one that is being added.
    for (long i = Math.max(drawing + 1, ahead / CHUNK); i > 0; i--) {
      free.add(ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder()));
    }
    pool =
        Executors.newFixedThreadPool(
            drawing,
            task -> {
              Thread thread = new Thread(task, "fastdp-noise");
              thread.setDaemon(true);
              return thread;
            });
    workers = pool;
    return pool;
  }

  private ByteBuffer draw(long index, ByteBuffer buffer, Drawing drawing) {
    int count = (int) Math.min(CHUNK, perStep - index % count(perStep) * CHUNK);
    drawing.draw(source.stream(2 * index), buffer.clear(), count);
    return buffer.limit(count * bytesPerNumber);
  }

  /** Waits for the next chunk. */
  ByteBuffer take() {
    Future<ByteBuffer> chunk = underWay.remove();
    taken++;
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return chunk.get();
        } catch (InterruptedException e) {
          // A step that has been charged is finished.
          interrupted = true;
        } catch (ExecutionException e) {
          underWay.clear();
          close();
          throw new IllegalStateException("noise could not be drawn; none was released", e);
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** The stream of the next number on its own. */
  NoiseSource.Bits single() {
    drawn = true;
    return source.stream(2 * singles++ + 1);
  }

  void giveBack(ByteBuffer buffer) {
    free.add(buffer);
  }

  @Override
  public void close() {
    if (workers != null) {
      workers.shutdownNow();
    }
  }
}
