/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.tracker.Tracker;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.optimizer.OptimizerState;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What all optimizers of this package have in common: an update of all parameters in one kernel
 * call, a learning rate that follows a tracker, and state that can be saved.
 *
 * <p>A subclass declares what it remembers and says how one update is made. What is remembered
 * lives here and nowhere else, so that no optimizer can leave a part of it out of its state.
 */
abstract sealed class ListOptimizer implements DpOptimizer
    permits DpAdagrad, DpAdam, DpAdamW, DpLamb, DpRmsprop, DpSgd {
  /** The name in the state of the float32 masters of weights of other types. */
  private static final String MASTERS = "master";

  private final Rule rule;
  private final Tracker learningRate;
  private final Map<String, Double> numbers = new LinkedHashMap<>();
  private @Nullable ListState lists;
  private @Nullable SavedLists saved;
  private long updates;
  private double rate = Double.NaN;
  private boolean closed;

  /**
   * What an update rule is and remembers.
   *
   * @param kind its name in the state
   * @param arrays the names of the arrays that it keeps beside every parameter, zero at first
   * @param numbers the names of the numbers that it keeps, zero at first
   */
  record Rule(String kind, List<String> arrays, List<String> numbers) {
    Rule {
      arrays = List.copyOf(arrays);
      numbers = List.copyOf(numbers);
    }
  }

  ListOptimizer(Rule rule, Tracker learningRate) {
    this.rule = rule;
    this.learningRate = Objects.requireNonNull(learningRate, "learningRate");
    rule.numbers().forEach(name -> numbers.put(name, 0.0));
  }

  /** Updates the weights, the arrays and the numbers once. */
  abstract void apply(Update update);

  @Override
  public final void update(PrivatizedGradient gradient) {
    requireOpen();
    ListState state = bind(gradient);
    int number = Math.toIntExact(updates + 1);
    rate = Hyperparameters.nonNegative("learningRate", learningRate.getNewValue(number));
    try (NDManager scope = state.newScope()) {
      apply(new Update(scope, state, gradient, number, rate, numbers));
    }
    state.masters().publish();
    updates = number;
  }

  /** True: what a rule remembers is in arrays of its own. */
  @Override
  public final boolean copiesGradients() {
    return true;
  }

  @Override
  public final OptionalDouble learningRate() {
    return Double.isNaN(rate) ? OptionalDouble.empty() : OptionalDouble.of(rate);
  }

  private ListState bind(PrivatizedGradient gradient) {
    List<NDArray> weights = gradient.parameters().stream().map(Parameter::getArray).toList();
    ListState current = lists;
    if (current != null) {
      current.requireSame(gradient.parameters());
      if (!current.masters().standFor(weights)) {
        current.renewMasters(weights);
      }
      return current;
    }
    ListState bound = new ListState(gradient.parameters(), weights, rule.arrays());
    SavedLists held = saved;
    if (held != null) {
      try {
        bound.restore(held.arrays(), MASTERS);
      } catch (RuntimeException e) {
        bound.close();
        throw e;
      }
      held.close();
      saved = null;
    }
    lists = bound;
    return bound;
  }

  @Override
  public final OptimizerState state() {
    requireOpen();
    Map<String, List<NDArray>> arrays = new LinkedHashMap<>();
    if (lists != null) {
      arrays.putAll(lists.arrays());
      if (lists.masters().haveCopies()) {
        arrays.put(MASTERS, lists.masters().arrays());
      }
    } else if (saved != null) {
      arrays.putAll(saved.arrays());
    }
    return new OptimizerState(rule.kind(), updates, numbers, arrays);
  }

  @Override
  public final void restore(OptimizerState state) {
    requireOpen();
    if (!state.kind().equals(rule.kind())) {
      throw new IllegalArgumentException(
          "state must be of kind "
              + rule.kind()
              + ", got "
              + state.kind()
              + "; build the optimizer with the settings that it was saved with");
    }
    requireNames("numbers", rule.numbers(), state.numbers());
    if (state.updates() > 0) {
      Map<String, ?> declared = new LinkedHashMap<>(state.arrays());
      declared.remove(MASTERS);
      requireNames("arrays", rule.arrays(), declared);
    } else {
      requireNames("arrays", List.of(), state.arrays());
    }
    SavedLists copies = state.updates() > 0 ? SavedLists.copyOf(state.arrays()) : null;
    release();
    saved = copies;
    numbers.putAll(state.numbers());
    updates = state.updates();
  }

  private void requireNames(String what, List<String> expected, Map<String, ?> given) {
    if (!given.keySet().equals(new TreeSet<>(expected))) {
      throw new IllegalArgumentException(
          "state of "
              + rule.kind()
              + " must have the "
              + what
              + " "
              + expected
              + ", got "
              + given.keySet()
              + "; build the optimizer with the settings that it was saved with");
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException(
          "optimizer must not have been closed, got a closed "
              + rule.kind()
              + "; build one for each trainer, which closes it");
    }
  }

  private void release() {
    if (lists != null) {
      lists.close();
    }
    if (saved != null) {
      saved.close();
    }
    lists = null;
    saved = null;
  }

  @Override
  public final void close() {
    closed = true;
    release();
  }
}
