/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.fastdp.PrivacyEngine;
import ai.fastdp.PrivateTrainer;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import ai.fastdp.validation.ModelValidator;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The README's example: runs, learns, and is word for word what the README prints. */
class ReadmeExampleTest {
  private static final Path SOURCE =
      Path.of("src/test/java/ai/fastdp/examples/ReadmeExampleTest.java");
  private static final Path README = Path.of("../README.md");

  @Test
  void example_asInReadme_trainsWithinBudget() throws Exception {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray data = manager.randomNormal(new Shape(1_000, 16));
      NDArray labels = data.get(":, 0").gt(0).toType(DataType.INT64, false);
      RandomAccessDataset dataset =
          new ArrayDataset.Builder().setData(data).optLabels(labels).setSampling(100, true).build();
      Model model = Model.newInstance("classifier");
      model.setBlock(
          new SequentialBlock()
              .add(Linear.builder().setUnits(64).build())
              .add(Activation.reluBlock())
              .add(Linear.builder().setUnits(2).build()));
      // README
      PrivacyPlan plan =
          PrivacyPlan.builder()
              .setDatasetSize(1_000)
              .setBatchSize(100)
              .setEpochs(5)
              .setBudget(new PrivacyBudget(3.0, 1e-4))
              .setClipNorm(1.0)
              .build();
      DpAdamW optimizer = DpAdamW.builder().optLearningRate(0.01f).build();
      try (PrivateTrainer trainer = PrivacyEngine.of(plan).attach(model, optimizer)) {
        trainer.initialize(new Shape(1, 16));
        for (PrivateBatch batch : trainer.batches(dataset)) {
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
        }
        System.out.println("epsilon spent: " + trainer.spent().upper().getAsDouble());
      }
      // README
      NDArray predicted =
          model
              .getBlock()
              .forward(
                  new ai.djl.training.ParameterStore(manager, false),
                  new ai.djl.ndarray.NDList(data),
                  false)
              .head()
              .argMax(1);
      double accuracy = predicted.eq(labels).toType(DataType.FLOAT32, false).mean().getFloat();
      // Chance is 0.5 with a standard deviation of 0.016.
      assertThat(accuracy).isGreaterThan(0.65);
      model.close();
    }
  }

  @Test
  void validator_asInReadme_putsABatchNormRight() {
    try (Model model = Model.newInstance("validated")) {
      model.setBlock(
          new SequentialBlock()
              .add(Linear.builder().setUnits(64).build())
              .add(BatchNorm.builder().build()));
      // README
      ModelValidator.validate(model.getBlock()).forEach(System.out::println);
      ModelValidator.fix(model.getBlock()).forEach(System.out::println);
      // README
      assertThat(ModelValidator.validate(model.getBlock())).isEmpty();
    }
  }

  @Test
  void readme_containsTheExamplesWordForWord() throws Exception {
    String source = Files.readString(SOURCE);
    String[] parts = source.split(" {6}// README\n", -1);
    String readme = Files.readString(README);
    assertThat(parts).hasSize(5);
    for (int i = 1; i < parts.length; i += 2) {
      String printed = parts[i].lines().map(line -> line.substring(6)).collect(joining("\n"));
      assertThat(readme).contains("```java\n" + printed + "\n```");
    }
  }
}
