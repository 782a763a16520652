/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.core.Linear;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.fastdp.PrivacyEngine;
import ai.fastdp.PrivateTrainer;
import ai.fastdp.TrainingReport;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example of docs/running.md: runs, goes on, and is word for word what the document prints. */
class LongRunExampleTest {
  private static final Path SOURCE =
      Path.of("src/test/java/ai/fastdp/examples/LongRunExampleTest.java");
  private static final Path DOCUMENT = Path.of("../docs/running.md");

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path directory;

  @Test
  void example_asPrinted_takesTheWholePlan() throws Exception {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(1_000)
            .setBatchSize(100)
            .setSteps(5)
            .setNoiseMultiplier(1)
            .setDelta(1e-5)
            .setClipNorm(1.0)
            .build();
    try (NDManager manager = NDManager.newBaseManager();
        Model model = Model.newInstance("classifier")) {
      model.setBlock(Linear.builder().setUnits(2).build());
      NDArray data = manager.randomNormal(new Shape(1_000, 16));
      NDArray labels = data.get(":, 0").gt(0).toType(DataType.INT64, false);
      RandomAccessDataset dataset =
          new ArrayDataset.Builder().setData(data).optLabels(labels).setSampling(100, true).build();
      DpAdamW optimizer = DpAdamW.builder().optLearningRate(0.01f).build();
      // running.md
      PrivacyEngine engine =
          PrivacyEngine.builder(plan)
              .optLedger(directory.resolve("ledger"))
              .optCheckpoint(directory.resolve("run.safetensors"), 100)
              .optReport(TrainingReport.to(directory.resolve("report.jsonl")))
              .build();
      boolean resume = Files.exists(directory.resolve("run.safetensors"));
      try (PrivateTrainer trainer =
          resume ? engine.resume(model, optimizer) : engine.attach(model, optimizer)) {
        trainer.initialize(new Shape(1, 16));
        for (PrivateBatch batch : trainer.batches(dataset)) {
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
        }
      }
      // running.md
      assertThat(Files.readAllLines(directory.resolve("report.jsonl"))).hasSize(7);
      try (PrivateTrainer trainer =
          engine.resume(model, DpAdamW.builder().optLearningRate(0.01f).build())) {
        assertThat(trainer.stepsTaken()).isEqualTo(5);
        assertThat(trainer.spent().upper().getAsDouble())
            .isLessThanOrEqualTo(plan.budget().epsilon());
      }
    }
  }

  @Test
  void document_containsTheExampleWordForWord() throws Exception {
    assertThat(Files.readString(DOCUMENT)).contains(PrintedExample.of(SOURCE, "running.md"));
  }
}
