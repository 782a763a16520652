/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.examples.gpt2.Gpt2Task.Pretraining;
import ai.fastdp.examples.training.ExampleCommand;
import ai.fastdp.examples.training.FineTuner;
import ai.fastdp.examples.training.Guarantee;
import ai.fastdp.examples.training.OrdinaryTraining;
import ai.fastdp.examples.training.Report;
import ai.fastdp.examples.training.Score;
import ai.fastdp.examples.training.TrainingJob;
import ai.fastdp.examples.training.TrainingProgress;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Random;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Fine-tunes a GPT-2 with differential privacy. */
@Command(
    name = Gpt2Command.NAME,
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Fine-tunes a GPT-2 with differential privacy. Without options it needs no files: it trains"
            + " a small byte-level model on public text that it generates, then privately on other"
            + " text, to epsilon 3, in a few minutes.")
public final class Gpt2Command extends ExampleCommand {

  static final String NAME = "gpt2";

  private static final Guarantee.Scope SCOPE =
      new Guarantee.Scope(
          "the weights, and so for the samples shown",
          "The settings, the tokenizer and the starting weights");

  private static final int SAMPLES_SHOWN = 3;
  private static final double SAMPLE_TEMPERATURE = 0.5;
  private static final int SAMPLE_TOP_K = 40;

  @Mixin private Gpt2Options options = new Gpt2Options();

  /** Made by the command line parser. */
  public Gpt2Command() {}

  @Override
  protected void run(PrintWriter out) throws IOException {
    try (Gpt2Task task = Gpt2Task.of(options)) {
      run(task, out);
    }
  }

  private void run(Gpt2Task task, PrintWriter out) throws IOException {
    Report report = new Report(options.training, NAME, out);
    FineTuner fineTuner = new FineTuner(task.fineTuning(), options.training);
    Engine engine = Engine.getEngine("PyTorch");
    engine.setRandomSeed(options.training.seed());
    try (Model model = Model.newInstance(NAME, engine.getEngineName());
        NDManager data = model.getNDManager().newSubManager()) {
      initialize(task, model);
      int batchSize = task.fineTuning().batchSize();
      ArrayDataset training = task.dataset(data, task.training(), batchSize, true);
      ArrayDataset heldOut =
          task.dataset(data, task.heldOut(), task.fineTuning().physicalBatchSize(), false);
      describe(task, (Gpt2) model.getBlock(), report);

      if (task.pretraining() != null && !fineTuner.resumes()) {
        pretrain(task, task.pretraining(), model);
      }
      Score before = fineTuner.before(() -> new Score(HeldOutLoss.measure(model, heldOut), null));
      report.line("Held-out loss before fine-tuning: %.4f nats", before.loss());
      if (options.biasOnly) {
        ((Gpt2) model.getBlock()).trainBiasesOnly();
      }
      FineTuner.Outcome outcome = fineTuner.run(job(model, training), SCOPE);
      Score after = new Score(HeldOutLoss.measure(model, heldOut), null);
      report.line("Held-out loss after fine-tuning:  %.4f nats", after.loss());
      showSamples(task, model, report);
      report.finish(model, outcome, before, after);
    }
  }

  private static TrainingJob job(Model model, ArrayDataset dataset) {
    return new TrainingJob(model, dataset, HeldOutLoss.PER_SAMPLE, new Shape(1, 1), 1);
  }

  private static void initialize(Gpt2Task task, Model model) {
    Gpt2 block = new Gpt2(task.config());
    model.setBlock(block);
    if (task.pretrained() != null) {
      task.pretrained().load(block, model.getNDManager());
    }
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, task.maxLength()));
  }

  private static void pretrain(Gpt2Task task, Pretraining pretraining, Model model) {
    try (NDManager scope = model.getNDManager().newSubManager();
        TrainingProgress progress =
            new TrainingProgress("Public pre-training", pretraining.steps())) {
      ArrayDataset dataset =
          task.dataset(scope, pretraining.examples(), pretraining.batchSize(), true);
      OrdinaryTraining.run(job(model, dataset), pretraining.schedule(), progress);
    }
  }

  private static void describe(Gpt2Task task, Gpt2 model, Report report) {
    Gpt2Config config = model.config();
    long weights =
        model.getParameters().values().stream()
            .distinct()
            .mapToLong(parameter -> parameter.getArray().size())
            .sum();
    report.line(
        "GPT-2 of %d layers, width %d, %d heads, %d tokens: %,d parameters",
        config.layers(), config.width(), config.heads(), config.vocabularySize(), weights);
    report.line(
        "%,d training samples and %,d held-out samples of at most %d tokens",
        task.training().size(), task.heldOut().size(), task.maxLength());
  }

  private void showSamples(Gpt2Task task, Model model, Report report) {
    Random random = new Random(options.training.seed());
    try (NDManager scope = model.getNDManager().newSubManager()) {
      TextGenerator generator =
          TextGenerator.builder(
                  model.getBlock(), scope, task.tokenizer(), task.config().contextLength())
              .optTemperature(SAMPLE_TEMPERATURE, random)
              .optTopK(SAMPLE_TOP_K)
              .build();
      report.line("Samples:");
      for (int i = 0; i < SAMPLES_SHOWN; i++) {
        String prompt = task.heldOut().get(random.nextInt(task.heldOut().size())).prompt();
        report.line("  %s%s", prompt, generator.generate(prompt, task.maxLength()));
      }
    }
  }
}
