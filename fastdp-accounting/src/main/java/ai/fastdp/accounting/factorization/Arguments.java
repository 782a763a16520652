/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

/** Argument checks, written so that NaN fails them. */
final class Arguments {

  private Arguments() {}

  static void positive(String name, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(name + " must be >= 1, got " + value);
    }
  }

  static void finitePositive(String name, double value) {
    if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(name + " must be finite and > 0, got " + value);
    }
  }

  static void finite(String name, double value) {
    if (!Double.isFinite(value)) {
      throw new IllegalArgumentException(name + " must be finite, got " + value);
    }
  }

  /** The index of a step in a run of {@code steps} steps. */
  static void step(String name, int value, int steps) {
    if (value < 0 || value >= steps) {
      throw new IllegalArgumentException(
          name + " must be in [0, " + (steps - 1) + "], got " + value + "; steps count from 0");
    }
  }

  static void bands(int bands, int steps) {
    if (bands < 1 || bands > steps) {
      throw new IllegalArgumentException(
          "bands must be in [1, steps] = [1, " + steps + "], got " + bands);
    }
  }

  /** Workload and strategy belong to the same run. */
  static void sameSteps(Workload workload, Strategy strategy) {
    if (workload.steps() != strategy.steps()) {
      throw new IllegalArgumentException(
          "strategy must have the workload's "
              + workload.steps()
              + " steps, got "
              + strategy.steps());
    }
  }
}
