/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.PrivacyPlan;
import ai.fastdp.examples.gpt2.Gpt2Task.FineTuning;
import ai.fastdp.examples.gpt2.Gpt2Task.Pretraining;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.util.LinkedHashMap;
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
    description =
        "Fine-tunes a GPT-2 with differential privacy. "
            + "Without options it needs no files: it trains a small byte-level model on public text that it "
            + "generates, then privately on other text, to epsilon 3, in a few minutes.")
public final class Gpt2Command implements Callable<Integer> {

  private static final int SAMPLES_SHOWN = 3;
  private static final double SAMPLE_TEMPERATURE = 0.5;
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
    FineTuning fineTuning = task.fineTuning();
    PrivacyPlan plan = options.nonPrivate ? null : PrivateTraining.plan(fineTuning);
    Engine engine = Engine.getEngine("PyTorch");
    engine.setRandomSeed(options.seed);
    try (Model model = Model.newInstance("gpt2", engine.getEngineName());
        NDManager data = model.getNDManager().newSubManager()) {
      initialize(task, model);
      ArrayDataset training = task.dataset(data, task.training(), fineTuning.batchSize(), true);
      ArrayDataset heldOut =
          task.dataset(data, task.heldOut(), fineTuning.physicalBatchSize(), false);
      describe(task, (Gpt2) model.getBlock(), out);

      if (task.pretraining() != null) {
        pretrain(task, task.pretraining(), model);
      }
      double before = HeldOutLoss.measure(model, heldOut);
      print(out, "Held-out loss before fine-tuning: %.4f nats", before);
      if (options.biasOnly) {
        ((Gpt2) model.getBlock()).trainBiasesOnly();
      }
      Guarantee guarantee = null;
      Summary.StepMillis stepMillis;
      try (TrainingProgress progress = new TrainingProgress("Fine-tuning", fineTuning.steps())) {
        if (plan == null) {
          OrdinaryTraining.run(model, training, fineTuning.schedule(), progress);
        } else {
          double epsilon = PrivateTraining.run(model, training, plan, fineTuning, progress);
          guarantee = new Guarantee(epsilon, plan, options.sampleSize != null);
        }
        stepMillis = progress.stepMillis();
      }
      double after = HeldOutLoss.measure(model, heldOut);
      print(out, "Held-out loss after fine-tuning:  %.4f nats", after);
      showSamples(task, model, out);
      showGuarantee(guarantee, out);
      Summary summary =
          Summary.of(
              guarantee,
              fineTuning.steps(),
              before,
              after,
              stepMillis,
              PeakMemory.bytes(),
              versions(engine));
      print(out, "Report: %s", summary.write(options.report));
    }
  }

  private static void initialize(Gpt2Task task, Model model) {
    Gpt2 block = new Gpt2(task.config());
    model.setBlock(block);
    if (task.pretrained() != null) {
      task.pretrained().load(block, model.getNDManager());
    }
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, task.maxLength()));
  }

  private static void showGuarantee(@Nullable Guarantee guarantee, PrintWriter out) {
    if (guarantee == null) {
      print(out, "Trained without privacy: the weights may give away any training sample.");
    } else {
      print(out, "%s", guarantee.statement());
      guarantee.assumptions().forEach(line -> print(out, "  - %s", line));
    }
  }

  private static void print(PrintWriter out, String format, Object... arguments) {
    out.printf(Locale.ROOT, format + "%n", arguments);
    out.flush();
  }

  private static void pretrain(Gpt2Task task, Pretraining pretraining, Model model) {
    try (NDManager scope = model.getNDManager().newSubManager();
        TrainingProgress progress =
            new TrainingProgress("Public pre-training", pretraining.steps())) {
      ArrayDataset dataset =
          task.dataset(scope, pretraining.examples(), pretraining.batchSize(), true);
      OrdinaryTraining.run(model, dataset, pretraining.schedule(), progress);
    }
  }

  private static void describe(Gpt2Task task, Gpt2 model, PrintWriter out) {
    Gpt2Config config = model.config();
    long weights =
        model.getParameters().values().stream()
            .distinct()
            .mapToLong(parameter -> parameter.getArray().size())
            .sum();
    print(
        out,
        "GPT-2 of %d layers, width %d, %d heads, %d tokens: %,d parameters",
        config.layers(),
        config.width(),
        config.heads(),
        config.vocabularySize(),
        weights);
    print(
        out,
        "%,d training samples and %,d held-out samples of at most %d tokens",
        task.training().size(),
        task.heldOut().size(),
        task.maxLength());
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
      print(out, "Samples:");
      for (int i = 0; i < SAMPLES_SHOWN; i++) {
        String prompt = task.heldOut().get(random.nextInt(task.heldOut().size())).prompt();
        print(out, "  %s%s", prompt, generator.generate(prompt, task.maxLength()));
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
