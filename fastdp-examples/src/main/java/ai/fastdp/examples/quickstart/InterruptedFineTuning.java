/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.quickstart;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.loss.Loss;
import ai.djl.translate.TranslateException;
import ai.fastdp.PrivacyEngine;
import ai.fastdp.PrivateTrainer;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Fine-tunes the last layer of a model that learned from public data. The run may be interrupted at
 * any moment; the same command continues it, and the budget is spent once.
 */
public final class InterruptedFineTuning {
  private static final Shape INPUT = new Shape(1, 16);

  private InterruptedFineTuning() {}

  /**
   * Starts the run, or continues it.
   *
   * @param args the directory of the run, and how many steps to take now; all by default
   * @throws Exception if files or data cannot be used
   */
  public static void main(String[] args) throws Exception {
    Path directory = Files.createDirectories(Path.of(args[0]));
    long stop = args.length > 1 ? Long.parseLong(args[1]) : Long.MAX_VALUE;
    Block body = Linear.builder().setUnits(32).build();
    Block network =
        new SequentialBlock()
            .add(body)
            .add(Activation.reluBlock())
            .add(Linear.builder().setUnits(2).build());
    try (NDManager data = NDManager.newBaseManager("PyTorch");
        Model model = Model.newInstance("public", "PyTorch")) {
      model.setBlock(network);
      if (!Files.exists(directory.resolve("public-0000.params"))) {
        learnFromPublicData(model, people(data, 0));
        model.save(directory, "public");
      } else {
        model.load(directory, "public");
      }
      body.freezeParameters(true);
      tune(model, people(data, 1), directory, stop);
    }
  }

  private static void tune(Model model, ArrayDataset people, Path directory, long stop)
      throws IOException, TranslateException {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(1_000)
            .setBatchSize(100)
            .setSteps(30)
            .setBudget(new PrivacyBudget(2.0, 1e-5))
            .setClipNorm(1.0)
            .build();
    Path checkpoint = directory.resolve("run.safetensors");
    PrivacyEngine engine =
        PrivacyEngine.builder(plan)
            .optLedger(directory.resolve("ledger"))
            .optCheckpoint(checkpoint, 5)
            .build();
    DpAdamW optimizer = DpAdamW.builder().optLearningRate(0.01f).build();
    try (PrivateTrainer trainer =
        Files.exists(checkpoint)
            ? engine.resume(model, optimizer)
            : engine.attach(model, optimizer)) {
      trainer.initialize(INPUT);
      for (PrivateBatch batch : trainer.batches(people)) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        if (trainer.stepsTaken() >= stop) {
          break;
        }
      }
      System.out.printf(
          "%d of %d steps, epsilon %.3f%n",
          trainer.stepsTaken(), plan.steps(), trainer.spent().upper().orElseThrow());
    }
  }

  private static void learnFromPublicData(Model model, ArrayDataset dataset)
      throws IOException, TranslateException {
    DefaultTrainingConfig ordinary = new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss());
    try (Trainer trainer = model.newTrainer(ordinary)) {
      trainer.initialize(INPUT);
      EasyTrain.fit(trainer, 3, dataset, null);
    }
  }

  /** Stands for real data: two groups of people, whose label depends on different columns. */
  private static ArrayDataset people(NDManager manager, int column) {
    NDArray table = manager.randomNormal(new Shape(1_000, INPUT.get(1)));
    NDArray labels = table.get(":, " + column).gt(0).toType(DataType.INT64, false);
    return new ArrayDataset.Builder()
        .setData(table)
        .optLabels(labels)
        .setSampling(100, true)
        .build();
  }
}
