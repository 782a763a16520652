/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The program as a user runs it. */
@Tag("slow")
final class MainTest {

  private static final Path TINY = Path.of("src/test/resources/gpt2-tiny").toAbsolutePath();

  private Path directory = Path.of("");
  private Program program = new Program("gpt2", directory);

  @BeforeEach
  void writeFiles(@TempDir Path temporary) throws IOException {
    directory = temporary;
    program = new Program("gpt2", directory);
    writeTable("train.csv", 60);
    writeTable("eval.csv", 20);
    Files.writeString(directory.resolve("broken.csv"), "mr,ref\nname[A],B\nname A,B\n");
    Files.writeString(directory.resolve("file"), "in the way");
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '#',
      value = {
        "--nonsense # Unknown option: '--nonsense'",
        "--epsilon many # Invalid value for option '--epsilon'",
        "--clipping soft # Invalid value for option '--clipping'",
        "--data DIR/train.csv --eval DIR/eval.csv --eval-samples 0 # --eval-samples must be > 0",
        "--steps 0 # --steps must be > 0, got 0",
        "--epochs -1 # --epochs must be > 0, got -1",
        "--steps 3 --epochs 2 # --epochs and --steps exclude each other",
        "--batch-size 0 # --batch-size must be > 0",
        "--physical-batch-size 0 # --physical-batch-size must be > 0",
        "--learning-rate NaN # --learning-rate must be finite and > 0",
        "--max-length 0 # --max-length must be > 0",
        "--max-length 5 # cuts off every reference",
        "--dataset-size 0 # --dataset-size must be > 0",
        "--data DIR/train.csv --eval DIR/eval.csv --weights TINY --max-length 0 # must be > 0",
        "--width 10 --heads 3 # width must be a multiple of heads",
        "--weights TINY # need --data",
        "--eval DIR/eval.csv # need --data",
        "--data DIR/train.csv # --data needs --eval",
        "--data DIR/none.csv --eval DIR/eval.csv # cannot read",
        "--data DIR/broken.csv --eval DIR/eval.csv # row 2 must have slots",
        "--data DIR/train.csv --eval DIR/broken.csv # row 2 must have slots",
        "--data DIR/train.csv --eval DIR/eval.csv --batch-size 61 # at most the dataset size 60",
        "--data DIR/train.csv --eval DIR/eval.csv --weights DIR # cannot read",
        "--data DIR/train.csv --eval DIR/eval.csv --tokenizer DIR/none # cannot read tokenizer",
        "--data DIR/train.csv --eval DIR/eval.csv --tokenizer DIR/file # is not a byte-pair",
        "--data DIR/train.csv --eval DIR/eval.csv --weights TINY --layers 3 # without --weights",
        "--data DIR/train.csv --eval DIR/eval.csv --weights TINY --max-length 25 # model's 24",
        "--report DIR/file # --report must be a directory",
        "--resume # --resume and --checkpoint-every need --checkpoint",
        "--checkpoint-every 5 # --resume and --checkpoint-every need --checkpoint",
        "--checkpoint DIR/file # --checkpoint must be a directory",
        "--checkpoint DIR/run --resume # --resume needs a checkpoint in",
        "--checkpoint DIR/run --checkpoint-every 0 # --checkpoint-every must be > 0",
        "--checkpoint DIR/run --non-private # --checkpoint is for private training",
        "--epsilon 0 # epsilon must be",
        "--epsilon NaN # epsilon must be",
        "--data DIR/train.csv --eval DIR/eval.csv --batch-size 2 --epsilon 0.01 # 0.01 is out of"
            + " reach",
        "--delta 0 # delta must be",
        "--delta 6e-5 # --delta must be below 1 / dataset size",
        "--clip-norm -1 # clipNorm must be finite and > 0, got -1.0",
        "--data DIR/train.csv --eval DIR/eval.csv --batch-size 8 --max-length 9 # cuts off",
      })
  void gpt2_badInput_endsWithOneLineAndExitCode2(String options, String message) {
    assertThat(run(options)).isEqualTo(2);
    assertThat(program.err()).startsWith("error: ").contains(message);
    assertThat(program.err().lines()).hasSize(1);
    assertThat(program.out()).doesNotContain("Held-out loss");
  }

  @Test
  void gpt2_vocabularyOfAnotherTokenizer_isRefused() throws IOException {
    String text = Files.readString(TINY.resolve("tokenizer.json"));
    Path other = directory.resolve("tokenizer.json");
    String added =
        "\"added_tokens\": [{\"id\": 300, \"content\": \"<more>\", \"single_word\": false,"
            + " \"lstrip\": false, \"rstrip\": false, \"normalized\": false,"
            + " \"special\": true},";
    Files.writeString(other, text.replaceFirst("\"added_tokens\": \\[", added));
    assertThat(run(files("--weights TINY --tokenizer DIR/tokenizer.json"))).isEqualTo(2);
    assertThat(program.err()).contains("as many tokens as the model, 300, got 301");
  }

  @Test
  void gpt2_damagedWeights_areRefusedBeforeTraining() throws IOException {
    for (String name : new String[] {"config.json", "tokenizer.json"}) {
      Files.copy(TINY.resolve(name), directory.resolve(name));
    }
    byte[] weights = Files.readAllBytes(TINY.resolve("model.safetensors"));
    Files.write(directory.resolve("model.safetensors"), java.util.Arrays.copyOf(weights, 100_000));
    assertThat(run(files("--weights DIR --batch-size 8"))).isEqualTo(2);
    assertThat(program.err()).contains("outside the file");
    assertThat(program.out()).doesNotContain("Held-out loss");
  }

  @Test
  void gpt2_nonPrivate_learnsAndReports() throws IOException {
    int exit =
        run(
            files(
                "--non-private --weights TINY --max-length 24 --epochs 4 --batch-size 8"
                    + " --physical-batch-size 5 --learning-rate 0.01 --report DIR/a/b"));
    assertThat(program.err()).isEmpty();
    assertThat(exit).isZero();
    JsonObject summary = summary("a/b");
    assertThat(summary.get("epsilon").isJsonNull()).isTrue();
    assertThat(summary.get("steps").getAsInt()).isEqualTo(30);
    assertThat(summary.get("lossAfter").getAsDouble())
        .isLessThan(summary.get("lossBefore").getAsDouble() - 1);
    assertThat(summary.get("peakMemoryBytes").getAsLong()).isGreaterThan(10_000_000);
    assertThat(summary.getAsJsonObject("stepMillis").keySet())
        .containsExactly("min", "median", "max");
    assertThat(summary.getAsJsonObject("versions").get("djl").getAsString()).isEqualTo("0.35.1");
    assertThat(program.out().lines().filter(line -> line.contains(" || "))).hasSize(3);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {"--clipping automatic", "--clipping abadi --clip-norm 0.5", "--bias-only"})
  void gpt2_private_learnsWithinTheBudget(String option) throws IOException {
    int exit =
        run(
            files(
                "--weights TINY --max-length 24 --steps 25 --batch-size 20 --epsilon 50"
                    + " --delta 1e-3 --physical-batch-size 7 --learning-rate 0.02 "
                    + option));
    assertThat(program.err()).isEmpty();
    assertThat(exit).isZero();
    JsonObject summary = summary("report");
    assertThat(summary.get("epsilon").getAsDouble()).isBetween(49.9, 50.0);
    assertThat(summary.get("delta").getAsDouble()).isEqualTo(1e-3);
    assertThat(summary.get("noiseMultiplier").getAsDouble()).isPositive();
    assertThat(summary.get("clipNorm").getAsDouble()).isEqualTo(option.contains("0.5") ? 0.5 : 1);
    assertThat(summary.get("sampleRate").getAsDouble()).isEqualTo(20.0 / 60);
    assertThat(summary.get("steps").getAsInt()).isEqualTo(25);
    assertThat(summary.get("lossAfter").getAsDouble())
        .isLessThan(summary.get("lossBefore").getAsDouble() - 0.5);
    assertThat(summary.getAsJsonArray("assumptions")).hasSizeGreaterThan(3);
    assertThat(program.out())
        .contains("Privacy: epsilon = ", "number of training samples, 60, is treated as public");
  }

  @Test
  void help_exitsWith0() {
    assertThat(run("--help")).isZero();
    assertThat(program.out()).contains("--epsilon", "--physical-batch-size");
  }

  private static String files(String options) {
    return "--data DIR/train.csv --eval DIR/eval.csv " + options;
  }

  private int run(String options) {
    return program.run(options.replace("TINY", TINY.toString()));
  }

  private JsonObject summary(String report) throws IOException {
    return program.summary(report);
  }

  private void writeTable(String name, int rows) throws IOException {
    StringBuilder table = new StringBuilder("mr,ref\n");
    for (int i = 0; i < rows; i++) {
      table.append("\"name[Fox], area[park]\",The Fox is near park number ").append(i % 5);
      table.append(".\n");
    }
    Files.writeString(directory.resolve(name), table);
  }
}
