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
 * The standard normal numbers of step after step, in chunks that worker threads draw.
 *
 * <p>Chunk n comes from the source's stream n, so that the numbers do not depend on how many
 * threads draw them or how far ahead. A chunk is handed out once, and its stream is never opened
 * again. The buffers are a ring: chunks are drawn ahead as far as it goes, into the next steps too.
 */
final class NoiseChunks implements AutoCloseable {
  /** Numbers in a chunk: 1 MiB, within the second-level cache. */
  static final int CHUNK = 1 << 18;

  private final NoiseSource source;
  private final long perStep;
  private final long chunksPerStep;
  private final ExecutorService workers;
  private final ArrayDeque<ByteBuffer> free = new ArrayDeque<>();
  private final ArrayDeque<Future<ByteBuffer>> drawing = new ArrayDeque<>();
  private long next;
  private long taken;
  private long singles;

  /**
   * Creates the chunks of a source; draws nothing yet.
   *
   * @param source the bits
   * @param perStep how many numbers a step takes
   * @param threads how many threads draw
   * @param ahead how many numbers may lie ready
   */
  NoiseChunks(NoiseSource source, long perStep, int threads, long ahead) {
    this.source = source;
    this.perStep = perStep;
    chunksPerStep = count(perStep);
    int size = (int) Math.min(CHUNK, perStep) * Float.BYTES;
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
  void start(long chunks) {
    while (!free.isEmpty() && drawing.size() < chunks) {
      ByteBuffer buffer = free.remove();
      long index = next++;
      drawing.add(workers.submit(() -> draw(index, buffer)));
    }
  }

  private ByteBuffer draw(long index, ByteBuffer buffer) {
    int count = (int) Math.min(CHUNK, perStep - index % chunksPerStep * CHUNK);
    new NormalNumbers(source.stream(2 * index)).fill(buffer.clear().asFloatBuffer(), count);
    return buffer.limit(count * Float.BYTES);
  }

  /** Waits for the next chunk. */
  ByteBuffer take() {
    Future<ByteBuffer> chunk = drawing.remove();
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
          drawing.clear();
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

  /** Draws one number of its own. */
  double single() {
    return new NormalNumbers(source.stream(2 * singles++ + 1)).next();
  }

  void giveBack(ByteBuffer buffer) {
    free.add(buffer);
  }

  @Override
  public void close() {
    workers.shutdownNow();
  }
}
