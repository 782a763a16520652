/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;

/** The elements of a buffer, whatever its position is. */
final class BufferContent {
  private BufferContent() {}

  /** Copies a buffer's elements to an array. */
  static Object read(Buffer buffer) {
    int size = buffer.capacity();
    Buffer whole = buffer.duplicate().clear();
    if (whole instanceof ByteBuffer bytes) {
      byte[] to = new byte[size];
      bytes.get(to);
      return to;
    } else if (whole instanceof FloatBuffer floats) {
      float[] to = new float[size];
      floats.get(to);
      return to;
    } else if (whole instanceof DoubleBuffer doubles) {
      double[] to = new double[size];
      doubles.get(to);
      return to;
    } else if (whole instanceof IntBuffer ints) {
      int[] to = new int[size];
      ints.get(to);
      return to;
    } else if (whole instanceof LongBuffer longs) {
      long[] to = new long[size];
      longs.get(to);
      return to;
    } else if (whole instanceof ShortBuffer shorts) {
      short[] to = new short[size];
      shorts.get(to);
      return to;
    }
    char[] to = new char[size];
    ((CharBuffer) whole).get(to);
    return to;
  }

  /** Writes an array's elements to a buffer; one that cannot be written to has not changed. */
  static void write(Buffer buffer, Object elements) {
    if (buffer.isReadOnly()) {
      return;
    }
    Buffer whole = buffer.duplicate().clear();
    if (whole instanceof ByteBuffer bytes) {
      bytes.put((byte[]) elements);
    } else if (whole instanceof FloatBuffer floats) {
      floats.put((float[]) elements);
    } else if (whole instanceof DoubleBuffer doubles) {
      doubles.put((double[]) elements);
    } else if (whole instanceof IntBuffer ints) {
      ints.put((int[]) elements);
    } else if (whole instanceof LongBuffer longs) {
      longs.put((long[]) elements);
    } else if (whole instanceof ShortBuffer shorts) {
      shorts.put((short[]) elements);
    } else {
      ((CharBuffer) whole).put((char[]) elements);
    }
  }
}
