/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Model;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.optimizer.OptimizerState;
import ai.fastdp.plan.PrivacyPlan;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.OptionalDouble;

/**
 * A training run in a process of its own, which goes on from where the one before was killed.
 *
 * <p>It appends one byte to {@code released} whenever a privatized gradient has been handed out,
 * before it is used, and one byte to {@code completed} whenever a step has returned. The bytes are
 * the operating system's as soon as they are written, and survive the process.
 */
final class KilledRun {
  private KilledRun() {}

  static PrivacyPlan plan(long steps) {
    return SmallRun.plan(steps).optLargeEpsilon().build();
  }

  static DpAdamW optimizer() {
    return DpAdamW.builder().optLearningRate(0.01f).build();
  }

  public static void main(String[] arguments) throws Exception {
    Path directory = Path.of(arguments[0]);
    PrivacyPlan plan = plan(Long.parseLong(arguments[1]));
    SmallRun run = new SmallRun(directory);
    PrivacyEngine engine = run.engine(plan, 1).build();
    try (Model model = SmallRun.model();
        OutputStream released = append(directory.resolve("released"));
        OutputStream completed = append(directory.resolve("completed"));
        PrivateTrainer trainer =
            Files.exists(run.checkpoint())
                ? engine.resume(model, new Telling(optimizer(), released))
                : engine.attach(model, new Telling(optimizer(), released))) {
      if (trainer.stepsCharged() < plan.steps()) {
        SmallRun.train(trainer, plan.steps(), after -> tell(completed));
      }
    }
    Files.createFile(directory.resolve("finished"));
  }

  private static OutputStream append(Path file) throws IOException {
    return Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
  }

  private static void tell(OutputStream out) {
    try {
      out.write('x');
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Tells of every gradient before it is used. */
  private record Telling(DpOptimizer optimizer, OutputStream released) implements DpOptimizer {
    @Override
    public void update(PrivatizedGradient gradient) {
      tell(released);
      optimizer.update(gradient);
    }

    @Override
    public OptionalDouble learningRate() {
      return optimizer.learningRate();
    }

    @Override
    public OptimizerState state() {
      return optimizer.state();
    }

    @Override
    public void restore(OptimizerState state) {
      optimizer.restore(state);
    }

    @Override
    public void close() {
      optimizer.close();
    }
  }
}
