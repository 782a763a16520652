/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The examples as a user runs them: killed while they train, gone on with, and asked for more. */
@Tag("slow")
final class ResumeMainTest {
  private static final int STEPS = 60;
  private static final String TRAINING =
      " --steps "
          + STEPS
          + " --epsilon 50 --delta 1e-3 --learning-rate 0.001"
          + " --checkpoint DIR/run --checkpoint-every 2 --save DIR/saved";

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "gpt2,--data DIR/train.csv --eval DIR/train.csv --batch-size 4 --max-length 48 --width 8"
        + " --heads 2 --layers 1",
    "resnet,--dataset-size 60 --batch-size 2"
  })
  void example_killed_goesOnAndEndsWithTheBudget(String example, String options) throws Exception {
    writeTable();
    kill(example, options + TRAINING);

    Program resumed = new Program(example, directory);
    assertThat(resumed.run(options + TRAINING)).isEqualTo(2);
    assertThat(resumed.err()).contains("holds a run already; add --resume");

    Program otherPlan = new Program(example, directory);
    assertThat(otherPlan.run(options + TRAINING + " --clip-norm 2 --resume")).isEqualTo(2);
    assertThat(otherPlan.err()).startsWith("error: ").contains("plan");

    Program rest = new Program(example, directory);
    assertThat(rest.run(options + TRAINING + " --resume")).as(rest.err()).isZero();
    JsonObject summary = rest.summary("report");
    assertThat(summary.get("stepsCharged").getAsLong()).isEqualTo(STEPS);
    // At most those after the newest checkpoint are lost: one that is not in it, one in flight.
    assertThat(summary.get("steps").getAsLong()).isBetween(STEPS - 2L, (long) STEPS);
    double epsilon = summary.get("epsilon").getAsDouble();
    assertThat(epsilon).isBetween(49.0, 50.0);
    byte[] saved = weights();

    Program more = new Program(example, directory);
    assertThat(more.run(options + TRAINING + " --resume")).as(more.err()).isZero();
    assertThat(more.out())
        .contains("The budget is spent: steps must be <= " + STEPS + ", got a request for more");
    JsonObject same = more.summary("report");
    for (String field : List.of("epsilon", "steps", "stepsCharged", "lossBefore", "lossAfter")) {
      assertThat(same.get(field)).as(field).isEqualTo(summary.get(field));
    }
    assertThat(weights()).isEqualTo(saved);
  }

  /** Starts the example in a process of its own and kills it after some steps. */
  private void kill(String example, String options) throws IOException, InterruptedException {
    Path errors = directory.resolve("errors");
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-Dai.djl.pytorch.num_threads=1",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                example,
                "--report",
                directory.resolve("report").toString()));
    for (String argument : options.split(" ", -1)) {
      command.add(argument.replace("DIR", directory.toString()));
    }
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(errors.toFile())
            .start();
    Path checkpoint = directory.resolve("run").resolve("run.safetensors");
    while (process.isAlive() && !Files.exists(checkpoint)) {
      process.waitFor(1, TimeUnit.MILLISECONDS);
    }
    assertThat(process.isAlive()).as(() -> "ended by itself: " + text(errors)).isTrue();
    process.destroyForcibly().waitFor();
    assertThat(directory.resolve("report").resolve("summary.json")).doesNotExist();
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      return e.toString();
    }
  }

  private byte[] weights() throws IOException {
    try (Stream<Path> files = Files.list(directory.resolve("saved"))) {
      return Files.readAllBytes(files.sorted().findFirst().orElseThrow());
    }
  }

  private void writeTable() throws IOException {
    StringBuilder table = new StringBuilder("mr,ref\n");
    for (int i = 0; i < 60; i++) {
      table.append("\"name[Fox], area[park]\",By park ").append(i % 5).append(".\n");
    }
    Files.writeString(directory.resolve("train.csv"), table);
  }
}
