/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The packed jar and the libraries beside it, started as the README does. */
class ExamplesJarIT {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gpt2 --layers 1 --width 8 --heads 2 --dataset-size 60 --eval-samples 10 --batch-size 10"
            + " --steps 2",
        "resnet --dataset-size 60 --batch-size 20 --steps 2 --epsilon 50 --delta 1e-3"
      })
  void example_fewSteps_writesItsReport(String options, @TempDir Path directory)
      throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-jar",
                Path.of("target", "fastdp-examples.jar").toString()));
    command.addAll(List.of(options.split(" ")));
    command.addAll(List.of("--report", directory.resolve("report").toString()));
    Path output = directory.resolve("output");
    ProcessBuilder process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
    process
        .environment()
        .putAll(
            Map.of(
                "DJL_OFFLINE", "true",
                "OMP_NUM_THREADS", "1",
                // As for all tests: PyTorch takes AMX wherever the processor names it.
                "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16"));
    int code = process.start().waitFor();
    assertThat(code).as(Files.readString(output)).isZero();
    assertThat(directory.resolve("report").resolve("summary.json")).isNotEmptyFile();
  }
}
