/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

/** Turns text into token ids and back. */
public interface TextTokenizer extends AutoCloseable {

  /**
   * Encodes a text, without adding anything to it.
   *
   * @param text any text
   * @return its ids, each in [0, {@link #vocabularySize()})
   */
  long[] encode(String text);

  /**
   * Decodes ids.
   *
   * @param ids ids in [0, {@link #vocabularySize()})
   * @return the text; bytes that are not UTF-8 become the replacement character
   */
  String decode(long[] ids);

  /**
   * Returns the number of ids.
   *
   * @return the largest id, plus one
   */
  int vocabularySize();

  /**
   * Returns the id that ends a text. It also fills the places after the end.
   *
   * @return an id in [0, {@link #vocabularySize()})
   */
  int endOfText();

  @Override
  void close();
}
