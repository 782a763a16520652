/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.quickstart;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.PrivacyEngine;
import ai.fastdp.PrivateTrainer;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;

/** Trains a classifier on a table in which every row belongs to one person. */
public final class TableClassifier {
  private static final int PEOPLE = 2_000;
  private static final int COLUMNS = 8;

  private TableClassifier() {}

  /**
   * Trains the classifier and prints what it achieved and what may be claimed about it.
   *
   * @param args none
   * @throws Exception if files or data cannot be used
   */
  public static void main(String[] args) throws Exception {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(PEOPLE)
            .setBatchSize(200)
            .setEpochs(10)
            .setBudget(new PrivacyBudget(3.0, 1e-5))
            .setClipNorm(1.0)
            .build();
    SequentialBlock network =
        new SequentialBlock()
            .add(Linear.builder().setUnits(32).build())
            .add(Activation.reluBlock())
            .add(Linear.builder().setUnits(2).build());
    DpAdamW optimizer = DpAdamW.builder().optLearningRate(0.02f).build();
    try (NDManager data = NDManager.newBaseManager("PyTorch");
        Model model = Model.newInstance("table", "PyTorch")) {
      model.setBlock(network);
      NDArray table = data.randomNormal(new Shape(PEOPLE, COLUMNS));
      ArrayDataset dataset =
          new ArrayDataset.Builder()
              .setData(table)
              .optLabels(labels(table))
              .setSampling(200, true)
              .build();
      try (PrivateTrainer trainer = PrivacyEngine.of(plan).attach(model, optimizer)) {
        trainer.initialize(new Shape(1, COLUMNS));
        for (PrivateBatch batch : trainer.batches(dataset)) {
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
        }
        NDArray strangers = data.randomNormal(new Shape(1_000, COLUMNS));
        NDArray predicted = trainer.evaluate(new NDList(strangers)).head().argMax(1);
        NDArray right = predicted.eq(labels(strangers)).toType(DataType.FLOAT32, false);
        System.out.printf("accuracy on strangers: %.2f%n", right.mean().getFloat());
        System.out.println(trainer.statement("person").toProse());
      }
    }
  }

  /** Stands for the label column of a real table. */
  private static NDArray labels(NDArray table) {
    NDArray score = table.get(":, 0").add(table.get(":, 1")).sub(table.get(":, 2"));
    return score.gt(0).toType(DataType.INT64, false);
  }
}
