/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.optimizer.OptimizerState;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;

/** Momentum, with everything that an optimizer can remember: arrays, a number and a count. */
final class HeavyBall implements DpOptimizer {
  private static final float RATE = 0.05f;

  private final NDManager manager = NDManager.newBaseManager();
  private final Runnable released;
  private List<NDArray> velocities = List.of();
  private double momentum = 0.5;
  private long updates;

  HeavyBall() {
    this(() -> {});
  }

  /**
   * @param released is called when a gradient has been handed over, before the weights change
   */
  HeavyBall(Runnable released) {
    this.released = released;
  }

  @Override
  public void update(PrivatizedGradient gradient) {
    released.run();
    updates++;
    momentum = 1 - (1 - momentum) * 0.9;
    List<NDArray> next = new ArrayList<>();
    for (int k = 0; k < gradient.parameters().size(); k++) {
      NDArray weights = gradient.parameters().get(k).getArray();
      NDArray velocity =
          gradient.gradients().get(k).mul(RATE / (float) Math.sqrt((double) updates));
      if (!velocities.isEmpty()) {
        velocity.addi(velocities.get(k).mul((float) momentum));
      }
      velocity.attach(manager);
      weights.subi(velocity);
      next.add(velocity);
    }
    velocities = next;
  }

  @Override
  public OptionalDouble learningRate() {
    return updates == 0
        ? OptionalDouble.empty()
        : OptionalDouble.of(RATE / Math.sqrt((double) updates));
  }

  @Override
  public OptimizerState state() {
    return new OptimizerState(
        "HeavyBall",
        updates,
        Map.of("momentum", momentum),
        updates == 0 ? Map.of() : Map.of("velocity", velocities));
  }

  @Override
  public void restore(OptimizerState state) {
    updates = state.updates();
    momentum = Objects.requireNonNull(state.numbers().get("momentum"));
    velocities = new ArrayList<>();
    for (NDArray array : state.arrays().getOrDefault("velocity", List.of())) {
      NDArray copy = array.duplicate();
      copy.attach(manager);
      velocities.add(copy);
    }
  }

  @Override
  public void close() {
    manager.close();
  }
}
