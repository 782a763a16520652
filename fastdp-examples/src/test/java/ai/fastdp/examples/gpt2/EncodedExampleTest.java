/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Record;
import java.util.List;
import org.junit.jupiter.api.Test;

final class EncodedExampleTest {

  private static final TextTokenizer BYTES = new ByteTokenizer();
  private static final int END = 256;

  @Test
  void of_room_targetsAreTheCompletionAndOneEnd() {
    EncodedExample encoded = encode("ab", "cd", 7);
    assertThat(encoded.ids).containsExactly('a', 'b', 'c', 'd', END, END, END);
    assertThat(encoded.targets).containsExactly('b', 'c', 'd', END, END, END, END);
    assertThat(encoded.mask).containsExactly(0, 1, 1, 1, 0, 0, 0);
  }

  @Test
  void of_exactFit_keepsTheEnd() {
    EncodedExample encoded = encode("ab", "cd", 4);
    assertThat(encoded.ids).containsExactly('a', 'b', 'c', 'd');
    assertThat(encoded.targets).containsExactly('b', 'c', 'd', END);
    assertThat(encoded.mask).containsExactly(0, 1, 1, 1);
  }

  @Test
  void of_completionTooLong_isCutWithoutAnEnd() {
    EncodedExample encoded = encode("ab", "cdef", 4);
    assertThat(encoded.ids).containsExactly('a', 'b', 'c', 'd');
    assertThat(encoded.targets).containsExactly('b', 'c', 'd', 'e');
    assertThat(encoded.mask).containsExactly(0, 1, 1, 1);
  }

  @Test
  void of_promptTooLong_hasNoTarget() {
    EncodedExample encoded = encode("abcdef", "gh", 4);
    assertThat(encoded.ids).containsExactly('a', 'b', 'c', 'd');
    assertThat(encoded.mask).containsOnly(0);
  }

  @Test
  void dataset_record_isDataAndLabels() {
    try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
      ArrayDataset dataset =
          EncodedExample.dataset(
              manager,
              List.of(new TextExample("a", "b"), new TextExample("ab", "cd")),
              BYTES,
              5,
              2,
              false);
      assertThat(dataset.size()).isEqualTo(2);
      Record second = dataset.get(manager, 1);
      EncodedExample expected = encode("ab", "cd", 5);
      NDArray ids = second.getData().singletonOrThrow();
      assertThat(ids.getShape()).isEqualTo(new Shape(5));
      assertThat(ids.toLongArray()).isEqualTo(expected.ids);
      assertThat(second.getLabels().get(0).toLongArray()).isEqualTo(expected.targets);
      assertThat(second.getLabels().get(1).toFloatArray()).isEqualTo(expected.mask);
    }
  }

  @Test
  void textExample_of_isSeparatedByBars() {
    TextExample example = TextExample.of("name : Fox", "The Fox.");
    assertThat(example.prompt() + example.completion()).isEqualTo("name : Fox || The Fox.");
  }

  private static EncodedExample encode(String prompt, String completion, int length) {
    return EncodedExample.of(new TextExample(prompt, completion), BYTES, length);
  }
}
