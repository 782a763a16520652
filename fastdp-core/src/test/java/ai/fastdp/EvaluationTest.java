/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.fastdp.sampling.PrivateBatch;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Data sets are evaluated at any time, and evaluation draws, trains and spends nothing. */
@Tag("slow")
final class EvaluationTest {
  private final Model model = SmallRun.model();
  private final CapturingOptimizer optimizer = new CapturingOptimizer();

  @AfterEach
  void close() {
    model.close();
  }

  /** Two epochs of five steps. */
  private static PrivacyEngineBuilder builder() {
    return PrivacyEngine.builder(SmallRun.plan(10).build())
        .optLoss(new SquaredError())
        .optSelfCheck(false)
        .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(3))
        .addTrainingListeners(TrainingListener.Defaults.basic());
  }

  private PrivateTrainer attach(PrivacyEngineBuilder engine) {
    return engine.build().attach(model, optimizer);
  }

  private ArrayDataset dataset() {
    return SmallRun.dataset(model.getNDManager());
  }

  /** Of a size that could not be the private data set's. */
  private ArrayDataset validation() {
    return OneStep.dataset(
        new NDList(OneStep.normal(model.getNDManager(), 8, 1, 5, 5)),
        new NDList(OneStep.normal(model.getNDManager(), 9, 1, 5, 3)));
  }

  private static void assertEvaluated(PrivateTrainer trainer, Dataset dataset) throws Exception {
    long taken = trainer.stepsTaken();
    long charged = trainer.stepsCharged();
    EasyTrain.evaluateDataset(trainer, dataset);
    assertThat(trainer.getLoss().getAccumulator(EvaluatorTrainingListener.VALIDATE_EPOCH))
        .isPositive()
        .isFinite();
    assertThat(trainer.stepsTaken()).isEqualTo(taken);
    assertThat(trainer.stepsCharged()).isEqualTo(charged);
  }

  @Test
  void evaluateDataset_beforeBetweenAndAfterTraining_evaluatesAnyData() throws Exception {
    try (PrivateTrainer trainer = attach(builder())) {
      ArrayDataset training = dataset();
      assertEvaluated(trainer, validation());
      assertEvaluated(trainer, training);
      EasyTrain.fit(trainer, 1, training, null);
      assertThat(trainer.stepsTaken()).isEqualTo(5);
      assertEvaluated(trainer, training);
      assertEvaluated(trainer, validation());
      EasyTrain.fit(trainer, 1, dataset(), validation());
      assertThat(trainer.stepsTaken()).isEqualTo(10);
      // The budget is spent, and evaluation goes on.
      assertEvaluated(trainer, training);
      assertEvaluated(trainer, validation());
      assertThat(trainer.stepsCharged()).isEqualTo(10);
    }
  }

  @Test
  void fit_trainingDataAsValidationData_trainsAllSteps() throws Exception {
    try (PrivateTrainer trainer = attach(builder())) {
      ArrayDataset data = dataset();
      EasyTrain.fit(trainer, 2, data, data);
      assertThat(trainer.stepsTaken()).isEqualTo(10);
      assertThat(trainer.getTrainingResult().getValidateLoss()).isPositive().isFinite();
    }
  }

  @Test
  void fit_dataSetReloadedForEveryEpoch_trainsAllSteps() throws Exception {
    try (PrivateTrainer trainer = attach(builder())) {
      EasyTrain.fit(trainer, 1, dataset(), dataset());
      EasyTrain.fit(trainer, 1, dataset(), dataset());
      assertThat(trainer.stepsTaken()).isEqualTo(10);
    }
  }

  @Test
  void evaluateDataset_betweenMicroBatches_stepGoesOn() throws Exception {
    PrivacyEngineBuilder engine = builder().optNonPrivate(NonPrivate.noiseless(3));
    try (PrivateTrainer trainer = attach(engine)) {
      SmallRun.train(trainer, 1);
    }
    var expected = List.copyOf(optimizer.gradients.values().stream().map(float[]::clone).toList());
    try (PrivateTrainer trainer = attach(engine)) {
      Iterator<PrivateBatch> each = trainer.batches(dataset()).iterator();
      PrivateBatch batch;
      do {
        batch = each.next();
        EasyTrain.evaluateDataset(trainer, validation());
        trainer.trainBatch(batch);
        EasyTrain.evaluateDataset(trainer, validation());
        trainer.step();
      } while (!batch.endsStep());
    }
    assertThat(optimizer.updates).isEqualTo(2);
    assertThat(optimizer.gradients.values()).containsExactlyInAnyOrderElementsOf(expected);
  }

  @Test
  void iterateDataset_ofAListenerDuringFit_evaluates() throws Exception {
    List<Class<?>> kinds = new ArrayList<>();
    ArrayDataset own = validation();
    TrainingListener listener =
        new TrainingListenerAdapter() {
          @Override
          public void onEpoch(Trainer trainer) {
            try {
              for (Batch batch : trainer.iterateDataset(own)) {
                trainer.evaluate(batch.getData());
                kinds.add(batch.getClass());
                batch.close();
              }
            } catch (Exception e) {
              throw new IllegalStateException(e);
            }
          }
        };
    try (PrivateTrainer trainer = attach(builder().addTrainingListeners(listener))) {
      EasyTrain.fit(trainer, 2, dataset(), null);
      assertThat(trainer.stepsTaken()).isEqualTo(10);
    }
    assertThat(kinds).hasSize(10).containsOnly(Batch.class);
  }

  @Test
  void iterateDataset_loopOfItsOwn_secondDataSetIsEvaluatedAndCannotBeTrained() throws Exception {
    try (PrivateTrainer trainer = attach(builder())) {
      ArrayDataset data = dataset();
      for (Batch batch : trainer.iterateDataset(data)) {
        EasyTrain.trainBatch(trainer, batch);
        trainer.step();
        batch.close();
      }
      assertThat(trainer.stepsTaken()).isEqualTo(5);
      for (Batch batch : trainer.iterateDataset(validation())) {
        trainer.evaluate(batch.getData());
        assertThatThrownBy(() -> EasyTrain.trainBatch(trainer, batch))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("data must be the current batch of trainer.batches(dataset)");
        batch.close();
      }
      assertThat(trainer.stepsTaken()).isEqualTo(5);
    }
  }

  @Test
  void iterateDataset_batchesThatAreNotTrained_messageSaysHowToEvaluate() throws Exception {
    try (PrivateTrainer trainer = attach(builder().optPerformance(PerformanceOptions.defaults()))) {
      assertThatThrownBy(
              () -> {
                for (Batch batch : trainer.iterateDataset(dataset())) {
                  trainer.evaluate(batch.getData());
                }
              })
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("every batch must be trained and stepped")
          .hasMessageContaining("EasyTrain.evaluateDataset(trainer, dataset)");
    }
  }

  @Test
  void batches_dataSetOfQuiteAnotherSize_isRefusedUnlessAllowed() throws Exception {
    try (PrivateTrainer trainer = attach(builder())) {
      assertThatThrownBy(() -> trainer.batches(validation()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("between half and twice the 40 samples", "got fewer")
          .hasMessageNotContaining("got 5");
      for (int size : new int[] {20, 80}) {
        trainer.batches(IndexedRows.of(size));
      }
      for (int size : new int[] {19, 81}) {
        assertThatThrownBy(() -> trainer.batches(IndexedRows.of(size)))
            .isInstanceOf(IllegalArgumentException.class);
      }
    }
    try (PrivateTrainer trainer = attach(builder().optAnyDataSize())) {
      PrivateBatch batch = trainer.batches(IndexedRows.of(400)).iterator().next();
      trainer.trainBatch(batch);
      trainer.step();
    }
  }
}
