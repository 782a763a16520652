/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.fastdp.mechanism.PrivatizedGradient;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** One update: what goes into it, what it changes, and the kernels. */
final class Update {
  private final NDManager scope;
  private final ListState state;
  private final PrivatizedGradient gradient;
  private final int number;
  private final double learningRate;
  private final Map<String, Double> numbers;

  Update(
      NDManager scope,
      ListState state,
      PrivatizedGradient gradient,
      int number,
      double learningRate,
      Map<String, Double> numbers) {
    this.scope = scope;
    this.state = state;
    this.gradient = gradient;
    this.number = number;
    this.learningRate = learningRate;
    this.numbers = numbers;
  }

  /** t, from 1. */
  int number() {
    return number;
  }

  double learningRate() {
    return learningRate;
  }

  List<Parameter> parameters() {
    return state.parameters();
  }

  /** The weights or their masters, float32. */
  List<NDArray> weights() {
    return state.masters().arrays();
  }

  List<NDArray> gradients() {
    return gradient.gradients();
  }

  double noiseDeviation() {
    return gradient.noiseDeviation();
  }

  /** What is remembered under a name that the rule declares. */
  List<NDArray> array(String name) {
    return Objects.requireNonNull(state.arrays().get(name), name);
  }

  double numberOf(String name) {
    return Objects.requireNonNull(numbers.get(name), name);
  }

  void setNumber(String name, double value) {
    numbers.put(name, value);
  }

  /** The update's number as a kernel takes it. */
  NDArray count() {
    return scope.create((float) number).toDevice(weights().get(0).getDevice(), false);
  }

  /** The update's number beside each of so many parameters. */
  List<NDArray> counts(int parameters) {
    return Collections.nCopies(parameters, count());
  }

  long block() {
    return state.block();
  }

  boolean onCpu() {
    return state.onCpu();
  }

  NDList run(String method, Object... arguments) {
    return state.module().run(scope, method, arguments);
  }
}
