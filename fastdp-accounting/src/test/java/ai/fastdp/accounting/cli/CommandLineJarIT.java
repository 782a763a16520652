/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The packed jar, which holds only the classes that packing found in use. */
class CommandLineJarIT {

  private static final String RUN =
      " --sample-rate 0.01 --noise-multiplier 0.8 --steps 1000 --delta 1e-6";

  @TempDir private Path directory = Path.of("");

  private record Outcome(int code, String out, String err) {}

  private Outcome run(String line) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Djava.awt.headless=true",
                "-jar",
                Path.of("target", "fastdp-accounting-cli.jar").toString()));
    command.addAll(List.of(line.split(" ")));
    Path out = directory.resolve("out");
    Path err = directory.resolve("err");
    int code =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start()
            .waitFor();
    return new Outcome(
        code,
        Files.readString(out, StandardCharsets.UTF_8),
        Files.readString(err, StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--help",
        "epsilon --accountant fdp --json" + RUN,
        // Few sampled steps: the composition by FFT.
        "epsilon --sample-rate 1e-4 --noise-multiplier 0.7 --steps 20 --delta 1e-7 --json",
        "epsilon --accountant rdp --json" + RUN,
        "epsilon --accountant gdp --json" + RUN,
        "epsilon --sampling fixed --json" + RUN,
        "epsilon --mechanism laplace --noise-multiplier 4 --steps 10 --delta 1e-6",
        "delta --sample-rate 0.01 --noise-multiplier 0.8 --steps 1000 --target-epsilon 4",
        "noise --sample-rate 0.01 --target-epsilon 1 --steps 1000 --delta 1e-6",
        "steps --sample-rate 0.01 --noise-multiplier 0.8 --target-epsilon 4 --delta 1e-6",
        "compare" + RUN,
        "statement" + RUN,
        "statement --json" + RUN,
        "plan --dataset-size 60000 --target-epsilon 3 --delta 1e-5 --batch-sizes 256 --epochs 60",
        "tradeoff --sample-rate 0.01 --noise-multiplier 0.8 --steps 1000 --points 5 --json",
        "epsilon --sample-rate 2 --noise-multiplier 1 --steps 1 --delta 1e-5",
        "unknown"
      })
  void answers_areThoseOfTheClasses(String line) throws IOException, InterruptedException {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code = Main.run(line.split(" "), new PrintWriter(out, true), new PrintWriter(err, true));
    assertThat(run(line)).isEqualTo(new Outcome(code, out.toString(), err.toString()));
  }

  @Test
  void tradeoff_png_isThePictureOfTheClasses() throws IOException, InterruptedException {
    Path packed = directory.resolve("packed.png");
    Path classes = directory.resolve("classes.png");
    String line = "tradeoff --noise-multiplier 2 --steps 3 --points 3 --plot ";
    Outcome outcome = run(line + packed);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.code()).isZero();
    Main.run(
        (line + classes).split(" "),
        new PrintWriter(new StringWriter()),
        new PrintWriter(new StringWriter()));
    BufferedImage actual = ImageIO.read(packed.toFile());
    BufferedImage expected = ImageIO.read(classes.toFile());
    assertThat(pixels(actual)).isEqualTo(pixels(expected));
  }

  private static int[] pixels(BufferedImage image) {
    return image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
  }
}
