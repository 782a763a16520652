/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

/**
 * One training sample: the model reads the prompt and learns to write the completion.
 *
 * @param prompt what is given, with the separator at its end
 * @param completion what is to be written, with a blank at its start
 */
public record TextExample(String prompt, String completion) {

  /** Stands between what is given and what is to be written. */
  private static final String SEPARATOR = " ||";

  /**
   * Joins a source and a reference in the form {@code source || reference}.
   *
   * @param source what is given
   * @param reference what is to be written
   * @return the example
   */
  public static TextExample of(String source, String reference) {
    return new TextExample(source + SEPARATOR, " " + reference);
  }
}
