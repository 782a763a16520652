/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.fastdp.examples.resnet.CifarFixture;
import ai.fastdp.examples.resnet.WeightsFixture;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The ResNet example as a user runs it. */
@Tag("slow")
final class ResNetMainTest {

  private Path directory = Path.of("");
  private Program program = new Program("resnet", directory);

  @BeforeEach
  void writeFiles(@TempDir Path temporary) throws IOException {
    directory = temporary;
    program = new Program("resnet", directory);
    CifarFixture.write(directory.resolve("cifar"), 40, 20);
    Files.writeString(directory.resolve("file"), "in the way");
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '#',
      value = {
        "--nonsense # Unknown option: '--nonsense'",
        "--norm batch # Invalid value for option '--norm'",
        "--trainable nothing # Invalid value for option '--trainable'",
        "--model resnet7 # Invalid value for option '--model'",
        "--augment 0 # --augment must be > 0, got 0",
        "--augment -2 # --augment must be > 0, got -2",
        "--dataset-size 0 # --dataset-size must be > 0",
        "--steps 3 --epochs 2 # --epochs and --steps exclude each other",
        "--learning-rate -1 # --learning-rate must be finite and > 0",
        "--weights DIR/file # --weights needs --data",
        "--norm frozen-batchnorm # --norm frozen-batchnorm needs the statistics of --weights",
        "--reset-head # --reset-head needs --weights",
        "--trainable head # --trainable needs --weights",
        "--data DIR/cifar --model resnetv1 --weights DIR/file # are for --model resnet20",
        "--data DIR/none # cannot read --data",
        "--data DIR/file # cannot read --data",
        "--data DIR # must have data_batch_1.bin",
        "--data DIR/cifar --batch-size 41 # at most the dataset size 40",
        "--data DIR/cifar --batch-size 20 --delta 1e-3 --weights DIR/none # cannot read --weights",
        "--data DIR/cifar --batch-size 20 --delta 1e-3 --weights DIR/file # --weights",
        "--delta 1e-3 # --delta must be below 1 / dataset size",
        "--epsilon 0 # epsilon must be",
        "--report DIR/file # --report must be a directory",
        "--resume # --resume and --checkpoint-every need --checkpoint",
        "--checkpoint-every 5 # --resume and --checkpoint-every need --checkpoint",
        "--checkpoint DIR/file # --checkpoint must be a directory",
        "--checkpoint DIR/run --resume # --resume needs a checkpoint in",
        "--checkpoint DIR/run --checkpoint-every 0 # --checkpoint-every must be > 0",
        "--checkpoint DIR/run --non-private # --checkpoint is for private training",
        "--save DIR/file # --save must be a directory",
      })
  void resnet_badInput_endsWithOneLineAndExitCode2(String options, String message) {
    assertThat(program.run(options)).isEqualTo(2);
    assertThat(program.err()).startsWith("error: ").contains(message);
    assertThat(program.err().lines()).hasSize(1);
    assertThat(program.out()).doesNotContain("Held-out");
  }

  @ParameterizedTest(name = "options: {0}")
  @ValueSource(strings = {"", "--augment 2", "--model resnet20 --clipping abadi"})
  void resnet_drawnImages_trainWithinTheBudget(String options) throws IOException {
    int exit =
        program.run(
            "--dataset-size 60 --batch-size 20 --steps 2 --epsilon 50 --delta 1e-3 " + options);
    assertThat(program.err()).isEmpty();
    assertThat(exit).isZero();
    JsonObject summary = program.summary("report");
    assertThat(summary.get("epsilon").getAsDouble()).isBetween(49.0, 50.0);
    assertThat(summary.get("steps").getAsInt()).isEqualTo(2);
    assertThat(summary.get("accuracyBefore").getAsDouble()).isBetween(0.0, 1.0);
    assertThat(summary.get("accuracyAfter").getAsDouble()).isBetween(0.0, 1.0);
    assertThat(summary.getAsJsonArray("assumptions")).hasSizeGreaterThan(3);
    assertThat(program.out())
        .contains("BatchNorms replaced", "Privacy: epsilon = ", "declared by the user");
  }

  @ParameterizedTest(name = "options: {0}")
  @ValueSource(strings = {"", "--augment 2"})
  void resnet_nonPrivate_learns(String options) throws IOException {
    int exit =
        program.run(
            "--non-private --dataset-size 300 --batch-size 60 --steps 25 --learning-rate 0.004"
                + " --physical-batch-size 17 "
                + options);
    assertThat(program.err()).isEmpty();
    assertThat(exit).isZero();
    JsonObject summary = program.summary("report");
    assertThat(summary.get("epsilon").isJsonNull()).isTrue();
    assertThat(summary.get("lossAfter").getAsDouble())
        .isLessThan(summary.get("lossBefore").getAsDouble());
  }

  @Test
  void resnet_frozenStatistics_changeTheTrainablePartAlone() throws Exception {
    Path weights = directory.resolve("weights.npz");
    WeightsFixture.write(weights);
    int exit =
        program.run(
            "--data DIR/cifar --weights DIR/weights.npz --norm frozen-batchnorm --reset-head"
                + " --trainable head-and-affine --augment 2 --steps 2 --batch-size 20"
                + " --epsilon 50 --delta 1e-3 --save DIR/saved");
    assertThat(program.err()).isEmpty();
    assertThat(exit).isZero();
    assertThat(program.out()).contains("Weights as loaded", "2,026 of which learn");
    try (Model model = Model.newInstance("test", "PyTorch");
        InputStream in = Files.newInputStream(weights)) {
      Map<String, NDArray> before = byName(NDList.decode(model.getNDManager(), in));
      Map<String, NDArray> after = byName(WeightsFixture.saved(model, directory.resolve("saved")));
      assertThat(after.keySet()).isEqualTo(before.keySet());
      after.forEach(
          (name, array) -> {
            boolean affine = name.matches(".*bn\\d\\.(weight|bias)");
            boolean trains = affine || name.startsWith("linear");
            assertThat(array.equals(before.get(name))).as(name).isEqualTo(!trains);
          });
    }
  }

  @Test
  void help_namesTheOptions() {
    assertThat(program.run("--help")).isZero();
    assertThat(program.out())
        .contains("--augment", "frozen-batchnorm", "head-and-affine", "resnetv1", "--epsilon");
  }

  private static Map<String, NDArray> byName(NDList arrays) {
    return arrays.stream().collect(Collectors.toMap(NDArray::getName, array -> array));
  }
}
