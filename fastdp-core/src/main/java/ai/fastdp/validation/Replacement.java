/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.validation;

/**
 * A block that has taken the place of another one.
 *
 * @param path the block's path from the root of the model, names of children joined by slashes
 * @param type the name of the class of the block that was there
 * @param replacement what is there now
 */
public record Replacement(String path, String type, String replacement) {
  /** The replacement in one line. */
  @Override
  public String toString() {
    return "layer '" + path + "' (" + type + ") is now " + replacement;
  }
}
