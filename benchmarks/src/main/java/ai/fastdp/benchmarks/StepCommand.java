/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import com.google.gson.GsonBuilder;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Scanner;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * Times whole training steps: forward, backward, clipping, noise, update, loading.
 *
 * <p>Each mode runs in a process of its own; the processes take turns, a few steps at a time, so
 * that what else the machine does falls on all of them. The ratio is that of the modes' medians.
 */
@Command(
    name = "step",
    mixinStandardHelpOptions = true,
    description = "Times whole training steps with and without privacy.")
final class StepCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(names = "--model", defaultValue = "gpt2", description = "gpt2 or resnet18")
  private String model = "gpt2";

  @Option(names = "--layers", defaultValue = "4")
  private int layers;

  @Option(names = "--width", defaultValue = "256")
  private int width;

  @Option(names = "--heads", defaultValue = "4")
  private int heads;

  @Option(names = "--tokens", defaultValue = "64")
  private int tokens;

  @Option(
      names = "--image",
      defaultValue = "32",
      description = "pixels along a side of an image, for resnet18")
  private int image;

  @Option(names = "--batch", defaultValue = "16")
  private int batch;

  @Option(names = "--vocab", defaultValue = "5000")
  private int vocabulary;

  @Option(
      names = "--modes",
      split = ",",
      defaultValue = "plain,bk",
      description =
          "${COMPLETION-CANDIDATES}; the ratio is the first process's median over the second's, in"
              + " the order of modes, then styles, then MiB of noise ahead")
  private List<StepMode> modes = List.of();

  @Option(
      names = "--style",
      defaultValue = "all-layer",
      converter = StepStyle.Converter.class,
      split = ",",
      description = "clipping styles of the private modes: ${COMPLETION-CANDIDATES}",
      completionCandidates = StepStyle.Names.class)
  private List<StepStyle> styles = List.of();

  @Option(
      names = "--blocks",
      defaultValue = "4",
      description = "groups of the block-wise style (${DEFAULT-VALUE})")
  private int blocks;

  @Option(
      names = "--noise-ahead",
      defaultValue = "0",
      split = ",",
      description =
          "MiB of noise that the private modes may draw while the model runs (${DEFAULT-VALUE})")
  private List<Long> noiseAhead = List.of();

  @Option(names = "--rounds", defaultValue = "24", description = "turns of each mode")
  private int rounds;

  @Option(names = "--steps", defaultValue = "5", description = "steps in a turn")
  private int steps;

  @Option(names = "--warmup", defaultValue = "10", description = "untimed steps of each mode")
  private int warmup;

  @Option(names = "--json", description = "print JSON")
  private boolean json;

  /** What is reported of a mode. */
  private record Result(double medianMillis, long peakRssBytes) {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    StepSubject subject = subject();
    List<Worker> workers = new ArrayList<>();
    try {
      for (StepMode mode : modes) {
        for (StepStyle style : varied(mode, styles)) {
          for (long ahead : varied(mode, noiseAhead)) {
            workers.add(new Worker(mode, style, ahead, subject));
          }
        }
      }
      for (Worker worker : workers) {
        worker.run(warmup);
        worker.millis.clear();
      }
      for (int round = 0; round < rounds; round++) {
        for (Worker worker : workers) {
          worker.run(steps);
        }
      }
      Map<String, Object> report = new LinkedHashMap<>();
      for (Worker worker : workers) {
        report.put(worker.name(), new Result(worker.medianMillis(), worker.finish()));
      }
      if (workers.size() > 1) {
        report.put("ratio", workers.get(0).medianMillis() / workers.get(1).medianMillis());
      }
      print(report);
      return 0;
    } finally {
      workers.forEach(worker -> worker.process.destroy());
    }
  }

  /** The values that make a difference to a mode: clipping and noise make none to the plain one. */
  private static <T> List<T> varied(StepMode mode, List<T> values) {
    return mode == StepMode.PLAIN ? values.subList(0, 1) : values;
  }

  private StepSubject subject() {
    return switch (model) {
      case "gpt2" -> new StepSubject.LanguageModel(vocabulary, tokens, width, layers, heads);
      case "resnet18" -> new StepSubject.ResNet18(image);
      default ->
          throw new ParameterException(
              spec.commandLine(), "--model must be gpt2 or resnet18, got " + model);
    };
  }

  private void print(Map<String, Object> report) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(new GsonBuilder().setPrettyPrinting().create().toJson(report));
    } else {
      report.forEach((name, value) -> out.println(name + ": " + value));
    }
    out.flush();
  }

  /** A process that runs steps of one mode. */
  private final class Worker {
    private final StepMode mode;
    private final StepStyle style;
    private final long ahead;
    private final Process process;
    private final BufferedReader answers;
    private final PrintWriter requests;
    private final List<Double> millis = new ArrayList<>();

    Worker(StepMode mode, StepStyle style, long ahead, StepSubject subject) throws IOException {
      this.mode = mode;
      this.style = style;
      this.ahead = ahead;
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.add("-Xmx2g");
      // Else the peak has as much garbage in it as the machine's memory makes room for: the young
      // generation grows to a hundredth of it before anything is collected.
      command.add("-Xmn32m");
      command.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=error");
      command.add("-cp");
      command.add(System.getProperty("java.class.path"));
      command.add(StepWorker.class.getName());
      command.add(mode.name());
      command.add(style.name());
      command.add(String.valueOf(blocks));
      command.add(String.valueOf(batch));
      command.add(String.valueOf(ahead << 20));
      command.addAll(subject.arguments());
      process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
      answers =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
      requests = new PrintWriter(process.getOutputStream(), true, StandardCharsets.UTF_8);
    }

    /** The mode, with its style and its noise where several are compared. */
    String name() {
      StringBuilder name = new StringBuilder(mode.name().toLowerCase(Locale.ROOT));
      if (varied(mode, styles).size() > 1) {
        name.append(' ').append(style.option());
      }
      if (varied(mode, noiseAhead).size() > 1) {
        name.append(" noise-ahead ").append(ahead);
      }
      return name.toString();
    }

    void run(int count) throws IOException {
      requests.println(count);
      try (Scanner nanos = new Scanner(answer())) {
        while (nanos.hasNextLong()) {
          millis.add(nanos.nextLong() / 1e6);
        }
      }
    }

    double medianMillis() {
      List<Double> sorted = new ArrayList<>(millis);
      Collections.sort(sorted);
      int middle = sorted.size() / 2;
      return sorted.size() % 2 == 1
          ? sorted.get(middle)
          : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }

    long finish() throws IOException, InterruptedException {
      requests.println();
      long bytes = Long.parseLong(answer().trim());
      process.waitFor();
      return bytes;
    }

    private String answer() throws IOException {
      String line = answers.readLine();
      if (line == null) {
        throw new IOException("the process of mode " + mode + " ended before it answered");
      }
      return line;
    }
  }
}
