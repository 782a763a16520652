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
 * <p>Chunk n comes from the source's stream 2 n, so that the numbers do not depend on how many
 * threads draw them or how far ahead. A chunk is handed out once, and its stream is never opened
 * again. The buffers are a ring: chunks are drawn ahead as far as it goes, into the next steps too.
 * Buffers and threads are made when the first chunks are drawn.
 */
final class NoiseChunks implements AutoCloseable {
  /** Numbers in a chunk: 1 MiB, within the second-level cache. */
  static final int CHUNK = 1 << 18;

  /** Makes the numbers of a chunk from a stream's words. */
  @FunctionalInterface
  interface Drawing {
    /** Writes {@code count} numbers at the beginning of a chunk; the words are gone afterwards. */
    void draw(StreamWords words, ByteBuffer chunk, int count);
  }

  /** What is done with a chunk. */
  @FunctionalInterface
  interface Use {
    /** Takes the numbers from {@code offset} on, whose buffer is used again afterwards. */
    void accept(long offset, ByteBuffer chunk);
  }

  private final NoiseSource source;
  private final int bytesPerNumber;
  private final int threads;
  private final long ahead;
  private final ArrayDeque<ByteBuffer> free = new ArrayDeque<>();
  private final ArrayDeque<Future<ByteBuffer>> underWay = new ArrayDeque<>();
  // Of each worker: a stream's blocks of bits would be garbage by the megabyte.
  private final ThreadLocal<StreamWords> words = ThreadLocal.withInitial(StreamWords::new);
  private @Nullable ExecutorService workers;
  private long perStep;
  private long next;
  private long taken;
  private long singles;
  private boolean drawn;
  private boolean failed;

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
    requireWhole();
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
    if (next % count(numbers) != 0) {
      throw new IllegalArgumentException(
          "noise position must be at the beginning of a step of "
              + count(numbers)
              + " chunks, got chunk "
              + next
              + "; go on with the parameters that the checkpoint was made with");
    }
    drawn = true;
    perStep = numbers;
    int size = (int) Math.min(CHUNK, numbers) * bytesPerNumber;
    int drawing = (int) Math.min(threads, count(numbers));
    // One chunk for each thread and one that is being added; and no more than a step's ahead.
    long ready = Math.min(ahead / CHUNK, count(numbers));
    for (long i = Math.max(drawing + 1, ready); i > 0; i--) {
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
    drawing.draw(words.get().restart(source.stream(2 * index)), buffer.clear(), count);
    return buffer.limit(count * bytesPerNumber);
  }

  /**
   * Hands the chunks of a step to their use, one after the other. After a failure no chunk is
   * handed out any more: those under way were drawn for the step that failed.
   *
   * @param numbers how many numbers a step takes, always the same
   * @param beyond whether to draw on for later steps, as far as there are buffers
   * @param drawing makes the numbers
   * @param use takes a chunk and the number of its first number in the step
   */
  void forEach(long numbers, boolean beyond, Drawing drawing, Use use) {
    try {
      for (long offset = 0; offset < numbers; offset += CHUNK) {
        start(numbers, beyond ? Long.MAX_VALUE : count(numbers - offset), drawing);
        ByteBuffer chunk = take();
        use.accept(offset, chunk);
        free.add(chunk);
      }
    } catch (RuntimeException | Error e) {
      failed = true;
      close();
      throw e;
    }
  }

  private void requireWhole() {
    if (failed) {
      throw new IllegalStateException(
          "the last draw of noise must have succeeded, got one that failed in between; make another"
              + " mechanism, and clip the step's samples again");
    }
  }

  /** Waits for the next chunk. */
  private ByteBuffer take() {
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
    requireWhole();
    drawn = true;
    return source.stream(2 * singles++ + 1);
  }

  @Override
  public void close() {
    if (workers != null) {
      workers.shutdownNow();
    }
  }
}
