/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.examples.gpt2.Gpt2Task.FineTuning;
import ai.fastdp.examples.gpt2.Gpt2Task.Pretraining;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Fine-tunes a GPT-2 with differential privacy. */
@Command(
    name = "gpt2",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Fine-tunes a GPT-2 with differential privacy.",
      "Without options it needs no files: it trains a small byte-level model on public text that it",
      "generates, then privately on other text, to epsilon 3, in a few minutes."
    })
public final class Gpt2Command implements Callable<Integer> {

  private static final int SAMPLES_SHOWN = 3;
  private static final double SAMPLE_TEMPERATURE = 0.7;
  private static final int SAMPLE_TOP_K = 40;

  @Mixin private Gpt2Options options = new Gpt2Options();

  @Spec private @Nullable CommandSpec spec;

  /** Made by the command line parser. */
  public Gpt2Command() {}

  /**
   * Runs the example.
   *
   * @return 0
   * @throws ParameterException if an option, or a file that it names, cannot be used
   */
  @Override
  public Integer call() throws IOException {
    CommandLine commandLine = Objects.requireNonNull(spec).commandLine();
    try (Gpt2Task task = Gpt2Task.of(options)) {
      run(task, commandLine.getOut());
      return commandLine.getCommandSpec().exitCodeOnSuccess();
    } catch (InputException e) {
      throw new ParameterException(commandLine, e.getMessage(), e);
    }
  }

  private void run(Gpt2Task task, PrintWriter out) throws IOException {
    createReportDirectory();
    Engine engine = Engine.getEngine("PyTorch");
    engine.setRandomSeed(options.seed);
    try (Model model = Model.newInstance("gpt2", engine.getEngineName());
        NDManager data = model.getNDManager().newSubManager()) {
      Gpt2 block = new Gpt2(task.config());
      model.setBlock(block);
      if (task.pretrained() != null) {
        task.pretrained().load(block, model.getNDManager());
      }
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, task.maxLength()));
      FineTuning fineTuning = task.fineTuning();
      ArrayDataset training = task.dataset(data, task.training(), fineTuning.batchSize(), true);
      ArrayDataset heldOut =
          task.dataset(data, task.heldOut(), fineTuning.physicalBatchSize(), false);
      describe(task, block, out);

      if (task.pretraining() != null) {
        pretrain(task, task.pretraining(), model);
      }
      double before = HeldOutLoss.measure(model, heldOut);
      out.printf(Locale.ROOT, "Held-out loss before fine-tuning: %.4f nats%n", before);
      out.flush();
      if (options.biasOnly) {
        freezeAllButBiases(block);
      }
      Summary.StepMillis stepMillis;
      try (TrainingProgress progress = new TrainingProgress("Fine-tuning", fineTuning.updates())) {
        OrdinaryTraining.run(
            model,
            training,
            new OrdinaryTraining.Schedule(
                fineTuning.updates(), fineTuning.physicalBatchSize(), fineTuning.learningRate()),
            progress);
        stepMillis = progress.stepMillis();
      }
      double after = HeldOutLoss.measure(model, heldOut);
      out.printf(Locale.ROOT, "Held-out loss after fine-tuning:  %.4f nats%n", after);
      showSamples(task, model, out);
      Summary summary =
          new Summary(
              null,
              null,
              null,
              null,
              null,
              fineTuning.updates(),
              before,
              after,
              stepMillis,
              PeakMemory.bytes(),
              versions(engine),
              List.of());
      out.println("Report: " + summary.write(options.report));
    }
  }

  private static void pretrain(Gpt2Task task, Pretraining pretraining, Model model) {
    try (NDManager scope = model.getNDManager().newSubManager();
        TrainingProgress progress =
            new TrainingProgress("Public pre-training", pretraining.steps())) {
      ArrayDataset dataset =
          task.dataset(scope, pretraining.examples(), pretraining.batchSize(), true);
      OrdinaryTraining.run(
          model,
          dataset,
          new OrdinaryTraining.Schedule(
              pretraining.steps(), pretraining.batchSize(), pretraining.learningRate()),
          progress);
    }
  }

  private static void freezeAllButBiases(Gpt2 model) {
    for (Parameter parameter : model.getParameters().values()) {
      Parameter.Type type = parameter.getType();
      parameter.freeze(type != Parameter.Type.BIAS && type != Parameter.Type.BETA);
    }
  }

  private static void describe(Gpt2Task task, Gpt2 model, PrintWriter out) {
    Gpt2Config config = model.config();
    long weights =
        model.getParameters().values().stream()
            .distinct()
            .mapToLong(parameter -> parameter.getArray().size())
            .sum();
    out.printf(
        Locale.ROOT,
        "GPT-2 of %d layers, width %d, %d heads, %d tokens: %,d parameters%n",
        config.layers(),
        config.width(),
        config.heads(),
        config.vocabularySize(),
        weights);
    out.printf(
        Locale.ROOT,
        "%,d private samples and %,d held-out samples of at most %d tokens%n",
        task.training().size(),
        task.heldOut().size(),
        task.maxLength());
    out.flush();
  }

  private void showSamples(Gpt2Task task, Model model, PrintWriter out) {
    Random random = new Random(options.seed);
    try (NDManager scope = model.getNDManager().newSubManager()) {
      TextGenerator generator =
          TextGenerator.builder(
                  model.getBlock(), scope, task.tokenizer(), task.config().contextLength())
              .optTemperature(SAMPLE_TEMPERATURE, random)
              .optTopK(SAMPLE_TOP_K)
              .build();
      out.println("Samples:");
      for (int i = 0; i < SAMPLES_SHOWN; i++) {
        String prompt = task.heldOut().get(random.nextInt(task.heldOut().size())).prompt();
        out.println("  " + prompt + generator.generate(prompt, task.maxLength()));
      }
    }
  }

  private void createReportDirectory() {
    try {
      Files.createDirectories(options.report);
    } catch (IOException e) {
      throw new InputException("--report must be a directory, got " + options.report, e);
    }
  }

  private static Map<String, String> versions(Engine engine) {
    Map<String, String> versions = new LinkedHashMap<>();
    String own = Gpt2Command.class.getPackage().getImplementationVersion();
    versions.put("fastdp", own == null ? "development" : own);
    versions.put("djl", Engine.getDjlVersion());
    versions.put("pytorch", engine.getVersion());
    versions.put("java", Runtime.version().toString());
    versions.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    return versions;
  }
}
