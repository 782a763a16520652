/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.fastdp.examples.SharedData;
import ai.fastdp.examples.training.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TokenizerTest {

  @Test
  void bpe_encode_equalsHuggingFaceTokenizers() {
    Reference reference = GptTiny.read("tokenizer-reference.json", Reference.class);
    try (TextTokenizer tokenizer = new BpeTokenizer(GptTiny.path("tokenizer.json"))) {
      assertThat(tokenizer.vocabularySize()).isEqualTo(reference.vocabularySize);
      assertThat(tokenizer.endOfText()).isZero();
      assertThat(reference.encodings).hasSizeGreaterThan(3);
      for (Encoding encoding : reference.encodings) {
        assertThat(tokenizer.encode(encoding.text)).as(encoding.text).isEqualTo(encoding.ids);
        assertThat(tokenizer.decode(encoding.ids)).isEqualTo(encoding.text);
      }
    }
  }

  @Test
  void bpe_longText_isNotCut() {
    try (TextTokenizer tokenizer = new BpeTokenizer(GptTiny.path("tokenizer.json"))) {
      assertThat(tokenizer.encode("z".repeat(3000))).hasSize(3000);
    }
  }

  /** The ids are those that OpenAI's encoder gives for the published vocabulary. */
  @Test
  void bpe_gpt2sOwn_encodesAsPublished() {
    Path file = SharedData.path("gpt2_tokenizer").resolve("tokenizer.json");
    assumeTrue(Files.exists(file), "shared data is not there");
    try (TextTokenizer tokenizer = new BpeTokenizer(file)) {
      assertThat(tokenizer.vocabularySize()).isEqualTo(50257);
      assertThat(tokenizer.endOfText()).isEqualTo(50256);
      assertThat(tokenizer.encode("Hello world")).containsExactly(15496, 995);
    }
  }

  @ParameterizedTest(name = "[{index}] {0}")
  @ValueSource(
      strings = {
        "",
        "no json",
        "{}",
        "{\"model\":{\"vocab\":{\"a\":0}},\"added_tokens\":[]}",
        "{\"model\":{\"vocab\":{\"<|endoftext|>\":0}},\"added_tokens\":[]}",
      })
  void bpe_badFile_isRefusedInOneLine(String content, @TempDir Path directory) throws IOException {
    Path file = Files.writeString(directory.resolve("tokenizer.json"), content);
    assertThatThrownBy(() -> new BpeTokenizer(file))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("tokenizer.json")
        .hasMessageNotContaining("\n");
  }

  @Test
  void bpe_noFile_saysSo(@TempDir Path directory) {
    assertThatThrownBy(() -> new BpeTokenizer(directory.resolve("none.json")))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("cannot read tokenizer");
  }

  @Test
  void bytes_encode_isUtf8() {
    try (TextTokenizer tokenizer = new ByteTokenizer()) {
      assertThat(tokenizer.encode("aé£")).containsExactly(97, 0xc3, 0xa9, 0xc2, 0xa3);
      assertThat(tokenizer.decode(tokenizer.encode("Café £20 寿司"))).isEqualTo("Café £20 寿司");
      assertThat(tokenizer.decode(new long[] {97, tokenizer.endOfText(), 98})).isEqualTo("ab");
      assertThat(tokenizer.vocabularySize()).isEqualTo(257);
      assertThat(tokenizer.endOfText()).isEqualTo(256);
    }
  }

  /** Fields as in the file. */
  static final class Reference {
    int vocabularySize;
    List<Encoding> encodings = List.of();
  }

  /** Fields as in the file. */
  static final class Encoding {
    String text = "";
    long[] ids = {};
  }
}
