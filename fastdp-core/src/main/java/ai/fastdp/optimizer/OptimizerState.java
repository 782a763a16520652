/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optimizer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * All that an optimizer remembers between updates, without its hyperparameters: an optimizer that
 * is built alike and takes the state back continues bit for bit.
 *
 * <p>The state follows from privatized gradients alone and is as private as the weights.
 *
 * @param kind the update rule, such as {@code DpAdam}; only an optimizer of the same kind takes it
 * @param updates the number of updates made
 * @param numbers the rule's numbers by name
 * @param arrays the rule's arrays by name, each a list of float32 arrays of the parameters' shapes,
 *     in the order of {@code PrivatizedGradient.parameters()}; empty before the first update
 */
public record OptimizerState(
    String kind, long updates, Map<String, Double> numbers, Map<String, List<NDArray>> arrays) {
  /**
   * Checks and copies the containers; the arrays themselves are not copied.
   *
   * @param kind the update rule
   * @param updates the number of updates made, at least 0
   * @param numbers finite numbers
   * @param arrays float32 arrays, equally many under each name
   * @throws IllegalArgumentException if the number of updates is negative, a number is not finite,
   *     the lists differ in length, or an array is not float32
   */
  public OptimizerState {
    Objects.requireNonNull(kind, "kind");
    if (!(updates >= 0)) {
      throw new IllegalArgumentException("updates must be >= 0, got " + updates);
    }
    numbers = Collections.unmodifiableMap(new LinkedHashMap<>(numbers));
    numbers.forEach(OptimizerState::requireFinite);
    Map<String, List<NDArray>> lists = new LinkedHashMap<>();
    arrays.forEach((name, list) -> lists.put(name, List.copyOf(list)));
    arrays = Collections.unmodifiableMap(lists);
    if (arrays.values().stream().mapToInt(List::size).distinct().count() > 1) {
      throw new IllegalArgumentException(
          "arrays must have one array for each parameter under every name, got lists of different"
              + " lengths for "
              + arrays.keySet()
              + "; the state is damaged");
    }
    arrays.forEach((name, list) -> list.forEach(array -> requireFloat32(name, array)));
  }

  private static void requireFinite(String name, double value) {
    if (!Double.isFinite(value)) {
      throw new IllegalArgumentException(
          "number '" + name + "' must be finite, got " + value + "; the state is damaged");
    }
  }

  private static void requireFloat32(String name, NDArray array) {
    if (array.getDataType() != DataType.FLOAT32) {
      throw new IllegalArgumentException(
          "array '" + name + "' must be float32, got " + array.getDataType() + "; do not cast it");
    }
  }
}
