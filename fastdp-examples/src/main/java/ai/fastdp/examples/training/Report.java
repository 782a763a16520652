/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.djl.Model;
import ai.djl.engine.Engine;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Tells what an example does: lines on the console, a summary in a file, and the trained weights.
 */
public final class Report {
  private final Path directory;
  private final @Nullable Path weights;
  private final PrintWriter out;

  /**
   * Begins a report.
   *
   * @param options say where things go
   * @param example the name of the example
   * @param out the console
   * @throws InputException if a directory cannot be made
   */
  public Report(TrainingOptions options, String example, PrintWriter out) {
    directory = makeDirectory("--report", options.report(example));
    weights = options.save() == null ? null : makeDirectory("--save", options.save());
    this.out = out;
  }

  /**
   * Prints a line.
   *
   * @param format as for {@code String.format}
   * @param arguments what it mentions
   */
  public void line(String format, Object... arguments) {
    out.printf(Locale.ROOT, format + "%n", arguments);
    out.flush();
  }

  /**
   * Prints the guarantee, writes the summary and, if asked to, saves the model.
   *
   * @param model the trained model
   * @param outcome how training went
   * @param before the model's score before it
   * @param after the model's score after it
   * @throws IOException if something cannot be written
   */
  public void finish(Model model, FineTuner.Outcome outcome, Score before, Score after)
      throws IOException {
    Guarantee guarantee = outcome.guarantee();
    if (outcome.refusal() != null) {
      line("The budget is spent: %s", outcome.refusal());
    }
    if (guarantee != null && guarantee.stepsCharged() > outcome.steps()) {
      line(
          "%d of %d updates were lost when the run ended early; they stay charged.",
          guarantee.stepsCharged() - outcome.steps(), guarantee.stepsCharged());
    }
    if (guarantee == null) {
      line("Trained without privacy: the weights may give away any training sample.");
    } else {
      line("%s", guarantee.statement());
      guarantee.assumptions().forEach(assumption -> line("  - %s", assumption));
    }
    if (weights != null) {
      model.save(weights, model.getName());
      line("Weights: %s", weights);
    }
    Summary summary =
        Summary.of(
            guarantee,
            outcome.steps(),
            before,
            after,
            outcome.stepMillis(),
            PeakMemory.bytes(),
            versions(model.getNDManager().getEngine()));
    line("Report: %s", summary.write(directory));
  }

  private static Path makeDirectory(String option, Path path) {
    try {
      return Files.createDirectories(path);
    } catch (IOException e) {
      throw new InputException(option + " must be a directory, got " + path, e);
    }
  }

  private static Map<String, String> versions(Engine engine) {
    Map<String, String> versions = new LinkedHashMap<>();
    String own = Report.class.getPackage().getImplementationVersion();
    versions.put("fastdp", own == null ? "development" : own);
    versions.put("djl", Engine.getDjlVersion());
    versions.put("pytorch", engine.getVersion());
    versions.put("java", Runtime.version().toString());
    versions.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    return versions;
  }
}
