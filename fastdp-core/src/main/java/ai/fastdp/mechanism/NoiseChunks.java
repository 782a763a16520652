/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The random numbers of step after step, in chunks that worker threads draw.
 *
 * <p>Chunk n comes from the source's stream n, so that the numbers do not depend on how many
 * threads draw them or how far ahead. A chunk is handed out once, and its stream is never opened
 * again. The buffers are a ring: chunks are drawn ahead as far as it goes, into the next steps too.
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
  private final long perStep;
  private final int bytesPerNumber;
  private final long chunksPerStep;
  private final ExecutorService workers;
  private final ArrayDeque<ByteBuffer> free = new ArrayDeque<>();
  private final ArrayDeque<Future<ByteBuffer>> underWay = new ArrayDeque<>();
  private long next;
  private long taken;
  private long singles;

  /**
   * Creates the chunks of a source; draws nothing yet.
   *
   * @param source the bits
   * @param perStep how many numbers a step takes
   * @param bytesPerNumber how many bytes a number has
   * @param threads how many threads draw
   * @param ahead how many numbers may lie ready
   */
  NoiseChunks(NoiseSource source, long perStep, int bytesPerNumber, int threads, long ahead) {
    this.source = source;
    this.bytesPerNumber = bytesPerNumber;
    this.perStep = perStep;
    chunksPerStep = count(perStep);
    int size = (int) Math.min(CHUNK, perStep) * bytesPerNumber;
    // One chunk for each thread and one that is being added.
    long buffers = Math.max(Math.min(threads, chunksPerStep) + 1, ahead / CHUNK);
    for (long i = 0; i < buffers; i++) {
      free.add(ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder()));
    }
    workers =
        Executors.newFixedThreadPool(
            (int) Math.min(threads, chunksPerStep),
            task -> {
              Thread thread = new Thread(task, "fastdp-noise");
              thread.setDaemon(true);
              return thread;
            });
  }

  /** In how many chunks so many numbers come. */
  static long count(long numbers) {
    return (numbers + CHUNK - 1) / CHUNK;
  }

  /** Leaves out the streams that an earlier run has used; before anything is drawn. */
  void skip(NoisePosition position) {
    next = position.chunks();
    taken = position.chunks();
    singles = position.singles();
  }

  /** What has been used up, by earlier runs too. */
  NoisePosition position() {
    return new NoisePosition(taken, singles);
  }

  /** Starts drawing, as far ahead as there are buffers and before the end of {@code chunks}. */
  void start(long chunks, Drawing drawing) {
    while (!free.isEmpty() && underWay.size() < chunks) {
      ByteBuffer buffer = free.remove();
      long index = next++;
      underWay.add(workers.submit(() -> draw(index, buffer, drawing)));
    }
  }

  private ByteBuffer draw(long index, ByteBuffer buffer, Drawing drawing) {
    int count = (int) Math.min(CHUNK, perStep - index % chunksPerStep * CHUNK);
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
    return source.stream(2 * singles++ + 1);
  }

  void giveBack(ByteBuffer buffer) {
    free.add(buffer);
  }

  @Override
  public void close() {
    workers.shutdownNow();
  }
}
