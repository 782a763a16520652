/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.fastdp.examples.training.InputException;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * GPT-2's byte-pair encoding, read from a Hugging Face {@code tokenizer.json}.
 *
 * <p>The work is done by Hugging Face's library, which DJL brings for the platform; nothing is
 * downloaded.
 */
public final class BpeTokenizer implements TextTokenizer {

  private static final String END_OF_TEXT = "<|endoftext|>";

  private final HuggingFaceTokenizer tokenizer;
  private final int vocabularySize;
  private final int endOfText;

  /**
   * Reads a tokenizer.
   *
   * @param file a {@code tokenizer.json}
   * @throws InputException if it cannot be read, or has no {@code <|endoftext|>}
   */
  public BpeTokenizer(Path file) {
    String text;
    try {
      text = Files.readString(file);
    } catch (IOException e) {
      throw new InputException("cannot read tokenizer " + file, e);
    }
    int largest = -1;
    int end = -1;
    try {
      JsonObject json = JsonParser.parseString(text).getAsJsonObject();
      for (Map.Entry<String, JsonElement> token :
          json.getAsJsonObject("model").getAsJsonObject("vocab").entrySet()) {
        int id = token.getValue().getAsInt();
        largest = Math.max(largest, id);
        end = token.getKey().equals(END_OF_TEXT) ? id : end;
      }
      for (JsonElement token : json.getAsJsonArray("added_tokens")) {
        int id = token.getAsJsonObject().get("id").getAsInt();
        largest = Math.max(largest, id);
        end = token.getAsJsonObject().get("content").getAsString().equals(END_OF_TEXT) ? id : end;
      }
    } catch (JsonParseException
        | IllegalStateException
        | ClassCastException
        | NullPointerException
        | NumberFormatException
        | UnsupportedOperationException e) {
      throw new InputException(file + " is not a byte-pair tokenizer.json", e);
    }
    if (end < 0) {
      throw new InputException("tokenizer " + file + " has no token " + END_OF_TEXT);
    }
    vocabularySize = largest + 1;
    endOfText = end;
    Map<String, String> options =
        Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false");
    try {
      tokenizer =
          HuggingFaceTokenizer.newInstance(
              new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)), options);
    } catch (IOException | RuntimeException e) {
      throw new InputException("tokenizer " + file + " cannot be used: " + e.getMessage(), e);
    }
  }

  @Override
  public long[] encode(String text) {
    return tokenizer.encode(text).getIds();
  }

  @Override
  public String decode(long[] ids) {
    return tokenizer.decode(ids, true);
  }

  @Override
  public int vocabularySize() {
    return vocabularySize;
  }

  @Override
  public int endOfText() {
    return endOfText;
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
