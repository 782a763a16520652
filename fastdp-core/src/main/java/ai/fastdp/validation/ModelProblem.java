/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.validation;

/**
 * One reason why a model cannot be trained privately as it is.
 *
 * @param path the block's path from the root of the model, names of children joined by slashes
 * @param type the name of the block's class
 * @param problem what is wrong, to follow the block's name
 * @param remedy what to do about it
 */
public record ModelProblem(String path, String type, String problem, String remedy) {
  /** The problem as it stands in an error. */
  @Override
  public String toString() {
    return "layer '" + path + "' (" + type + ") " + problem + "; " + remedy;
  }
}
