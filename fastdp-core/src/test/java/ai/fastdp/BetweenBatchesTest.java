/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a loop, a model or a loss may not change while a step is under way, and may not see. */
@Tag("slow")
final class BetweenBatchesTest {
  private static final int SAMPLES = 6;

  private static PrivacyEngineBuilder engine(PerSampleLoss loss) {
    return OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), loss).optSelfCheck(false);
  }

  private static ArrayDataset dataset(NDManager manager) {
    return OneStep.dataset(
        new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 5)),
        new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 3)));
  }

  private static Parameter weight(Model model) {
    return model.getBlock().getParameters().valueAt(0);
  }

  @Test
  void parameter_changedBetweenPhysicalBatches_isRefused() throws Exception {
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            engine(new SquaredError())
                .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(2))
                .build()
                .attach(model, new CapturingOptimizer())) {
      Iterator<PrivateBatch> batches = trainer.batches(dataset(model.getNDManager())).iterator();
      trainer.trainBatch(batches.next());
      trainer.step();
      weight(model).getArray().muli(2);
      PrivateBatch second = batches.next();
      assertThatThrownBy(() -> trainer.trainBatch(second))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContainingAll("must not be changed", "until the step's update");
    }
  }

  @Test
  void parameter_changedBetweenPassAndStep_isRefusedAndNothingIsReleased() throws Exception {
    CapturingOptimizer optimizer = new CapturingOptimizer();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine(new SquaredError()).build().attach(model, optimizer)) {
      trainer.trainBatch(trainer.batches(dataset(model.getNDManager())).iterator().next());
      NDArray other = weight(model).getArray().mul(2);
      weight(model).getArray().intern(other);
      assertThatThrownBy(trainer::step).isInstanceOf(IllegalStateException.class);
      assertThat(optimizer.updates).isZero();
      assertThat(trainer.stepsTaken()).isZero();
    }
  }

  @Test
  void parameter_changedBetweenSteps_isAllowed() throws Exception {
    CapturingOptimizer optimizer = new CapturingOptimizer();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine(new SquaredError()).build().attach(model, optimizer)) {
      int steps = 0;
      for (PrivateBatch batch : trainer.batches(dataset(model.getNDManager()))) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        weight(model).getArray().muli(0.9f);
        if (++steps == 3) {
          break;
        }
      }
      assertThat(optimizer.updates).isEqualTo(3);
    }
  }

  @Test
  void frozenParameter_exchangedInForward_isRefused() {
    Wiring block =
        new Wiring(
                (call, x) -> {
                  NDArray mean = x.mean(new int[] {0});
                  Parameter centre = call.part("frozen").getDirectParameters().get("weight");
                  NDArray rows = mean.broadcast(new Shape(4, 5)).duplicate();
                  rows.attach(centre.getArray().getManager());
                  centre.getArray().intern(rows);
                  return call.run("a", x);
                })
            .part("a", Recipe.linear(3), 5)
            .part("frozen", Recipe.linear(4), 5);
    try (Model model = OneStep.model(block)) {
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 5));
      block.getChildren().valueAt(1).freezeParameters(true);
      try (PrivateTrainer trainer =
          engine(new SquaredError()).build().attach(model, new CapturingOptimizer())) {
        assertThatThrownBy(
                () ->
                    trainer.trainBatch(
                        trainer.batches(dataset(model.getNDManager())).iterator().next()))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("must not be changed by a forward pass");
      }
    }
  }

  @Test
  void losses_keptByTheLossAndChanged_areRefused() throws Exception {
    List<NDArray> kept = new ArrayList<>();
    PerSampleLoss keeping =
        (labels, predictions) -> {
          NDArray losses = new SquaredError().evaluate(labels, predictions);
          kept.add(losses);
          return losses;
        };
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine(keeping).build().attach(model, new CapturingOptimizer())) {
      PrivateBatch batch = trainer.batches(dataset(model.getNDManager())).iterator().next();
      try (GradientCollector collector = trainer.newGradientCollector()) {
        NDList outputs = trainer.forward(batch.getData(), batch.getLabels());
        NDArray mean = trainer.getLoss().evaluate(batch.getLabels(), outputs);
        kept.get(kept.size() - 1).muli(-1);
        assertThatThrownBy(() -> collector.backward(mean))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("losses must not be modified in place");
      }
    }
  }

  @Test
  void managers_duringAStep_listNoRawSum() throws Exception {
    try (Model model = SmallRun.model();
        PrivateTrainer trainer =
            engine(new SquaredError()).build().attach(model, new CapturingOptimizer())) {
      trainer.trainBatch(trainer.batches(dataset(model.getNDManager())).iterator().next());
      long parameters =
          model.getBlock().getParameters().values().stream()
              .mapToLong(p -> p.getShape().size())
              .sum();
      for (NDManager manager : List.of(model.getNDManager(), trainer.getManager())) {
        assertThat(manager.getManagedArrays()).noneMatch(array -> array.size() == parameters);
      }
    }
  }

  @Test
  void forward_modelThatDividesItsInputInPlace_trainsOnWhatWasDrawn() throws Exception {
    List<Double> largest = new ArrayList<>();
    Wiring block =
        new Wiring(
                (call, x) -> {
                  largest.add((double) x.abs().max().getFloat());
                  x.divi(8);
                  return call.run("a", x);
                })
            .part("a", Recipe.linear(3), 5);
    try (Model model = OneStep.model(block)) {
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 5));
      try (PrivateTrainer trainer =
          engine(new SquaredError())
              .optSelfCheck(true)
              .build()
              .attach(model, new CapturingOptimizer())) {
        PrivateBatch batch = trainer.batches(dataset(model.getNDManager())).iterator().next();
        double drawn = batch.getData().head().abs().max().getFloat();
        trainer.trainBatch(batch);
        trainer.step();
        assertThat(largest.get(largest.size() - 1)).isEqualTo(drawn);
        assertThat(largest).allMatch(value -> value > drawn / 1e3);
      }
    }
  }
}
