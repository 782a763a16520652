/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SmallBuffersTest {
  @Test
  void memoryIsNeverHandedOutTwice() {
    SmallBuffers buffers = new SmallBuffers();
    List<ByteBuffer> given = new ArrayList<>();
    // Enough for several blocks, of sizes on both sides of the largest slice.
    for (int i = 0; i < 2_000; i++) {
      ByteBuffer buffer = buffers.allocate(i % 1_500);
      assertTrue(buffer.isDirect());
      assertEquals(ByteOrder.nativeOrder(), buffer.order());
      assertEquals(i % 1_500, buffer.remaining());
      for (int k = 0; k < buffer.capacity(); k++) {
        assertEquals(0, buffer.get(k));
        buffer.put(k, (byte) i);
      }
      given.add(buffer);
    }
    for (int i = 0; i < given.size(); i++) {
      ByteBuffer buffer = given.get(i);
      for (int k = 0; k < buffer.capacity(); k++) {
        assertEquals((byte) i, buffer.get(k));
      }
    }
  }

  @Test
  void numbersAreAligned() {
    SmallBuffers buffers = new SmallBuffers();
    for (int capacity = 1; capacity < 200; capacity++) {
      assertEquals(0, buffers.allocate(capacity).alignmentOffset(0, 64));
    }
  }
}
