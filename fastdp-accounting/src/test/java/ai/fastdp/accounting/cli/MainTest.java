/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("slow")
class MainTest {

  private record Outcome(int code, String out, String err) {}

  private static Outcome run(String line) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code =
        Main.run(line.split(" ", -1), new PrintWriter(out, true), new PrintWriter(err, true));
    return new Outcome(code, out.toString(), err.toString());
  }

  private static final String RUN =
      " --sample-rate 0.01 --noise-multiplier 0.8 --steps 1000 --delta 1e-6";

  @Test
  void epsilon_json_hasAllBounds() {
    Outcome fdp = run("epsilon --accountant fdp" + RUN + " --json");
    assertThat(fdp.code()).isZero();
    assertThat(fdp.out())
        .startsWith("{\"accountant\": \"fdp\"")
        .contains("\"lower\": 3.70618546887", "\"upper\": 3.70618546887", "contour");
    Outcome rdp = run("epsilon --accountant rdp" + RUN + " --json");
    assertThat(rdp.out())
        .contains("\"lower\": null, \"estimate\": null, \"upper\": 4.29332563")
        .contains("\"order\": 4.904");
    Outcome gdp = run("epsilon --accountant gdp" + RUN + " --json");
    assertThat(gdp.out()).contains("\"upper\": null", "\"estimate\": 2.82756");
  }

  @Test
  void epsilon_givenOrders_reproducesOtherTools() {
    // opacus 1.5.4 rdp: 4.29334
    assertThat(run("epsilon --accountant rdp" + RUN + " --orders 4.8,4.9,5.0 --json").out())
        .contains("\"upper\": 4.29334", "\"order\": 4.9");
  }

  @Test
  void delta_noise_steps_agree() {
    String common = " --sample-rate 0.01 --delta 1e-6 --json";
    assertThat(run("noise --target-epsilon 1 --steps 10000" + common).out())
        .contains("\"noiseMultiplier\": 4.302106");
    assertThat(run("noise --accountant gdp --target-epsilon 1 --steps 10000" + common).out())
        .contains("\"basis\": \"estimate\"");
    assertThat(run("steps --target-epsilon 3.70619 --noise-multiplier 0.8" + common).out())
        .contains("\"steps\": 1000,");
    assertThat(
            run("delta --target-epsilon 4 --steps 1000 --noise-multiplier 0.8 --sample-rate 0.01")
                .out())
        .contains("2.9945235456");
  }

  @Test
  void compare_plan_statement_print() {
    assertThat(run("compare" + RUN).out()).contains("rdp: ", "gdp: ", "fdp: ");
    assertThat(
            run("plan --dataset-size 60000 --target-epsilon 3 --delta 1e-5 --batch-sizes 256"
                    + " --epochs 60 --json")
                .out())
        .contains("\"steps\": 14063", "\"noiseMultiplier\": 0.96842");
    assertThat(run("statement" + RUN + " --unit patient").out()).contains("patient-level");
    assertThat(run("statement" + RUN + " --json").out()).contains("\"planHash\"");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "epsilon --sample-rate 1/60 --noise-multiplier 8e-1 --steps 1e3 --delta 1/1000000 --json |"
            + " epsilon --sample-rate 0.016666666666666666 --noise-multiplier 0.8 --steps 1000"
            + " --delta 0.000001 --json",
        "epsilon --noise-multiplier 16/2 --steps 1.0e1 --delta 1e-5 |"
            + " epsilon --noise-multiplier 8 --steps 10 --delta 0.00001",
        "plan --dataset-size 6e4 --batch-sizes 2.56e2,3e3 --epochs 1/2 --target-epsilon 3e0"
            + " --delta 1e-5 |"
            + " plan --dataset-size 60000 --batch-sizes 256,3000 --epochs 0.5 --target-epsilon 3"
            + " --delta 1e-5",
        "epsilon --accountant rdp --orders 5e0,7/2 --noise-multiplier 1 --steps 6/3 --delta 1e-5 |"
            + " epsilon --accountant rdp --orders 5,3.5 --noise-multiplier 1 --steps 2 --delta"
            + " 1e-5",
        "tradeoff --noise-multiplier 2 --steps 3e0 --points 0.5e1 --delta 1/1e5 |"
            + " tradeoff --noise-multiplier 2 --steps 3 --points 5"
      })
  void numbers_asPapersPrintThem_areTheSame(String typed, String plain) {
    Outcome outcome = run(typed);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out()).isNotEmpty().isEqualTo(run(plain).out());
  }

  @Test
  void tradeoff_writesAPicture(@TempDir Path directory) throws Exception {
    Path picture = directory.resolve("curve.svg");
    Outcome outcome =
        run(
            "tradeoff --sample-rate 0.01 --noise-multiplier 0.8 --steps 1000 --points 5 --plot "
                + picture
                + " --json");
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out()).contains("\"typeOne\": 0.25", "\"lower\"");
    assertThat(Files.readString(picture))
        .startsWith("<svg")
        .contains("polyline")
        .endsWith("</svg>\n");
  }

  @Test
  void epsilon_fixedBatches_replaceOneByDefault() {
    // golden: batch 1000 of 100000, sigma 0.8 relative to the sensitivity under replacement
    String line =
        "epsilon --sampling fixed --sample-rate 0.01 --noise-multiplier 1.6 --steps 1000 --delta"
            + " 1e-6 --json";
    assertThat(run(line).out()).contains("\"REPLACE_ONE\"", "\"estimate\": 4.24083137150");
    assertThat(run(line + " --adjacency replace-one").out()).isEqualTo(run(line).out());
    assertThat(run("compare --sampling fixed" + RUN).out()).contains("gdp: lower unknown");
    assertThat(run("compare --adjacency replace-one" + RUN).out()).contains("gdp: unsupported");
    assertThat(run("statement --sampling fixed" + RUN).out())
        .contains("batches of fixed size", "REPLACE_ONE");
  }

  @Test
  void epsilon_laplace_isPureAtOneStep() {
    String line = "--mechanism laplace --steps 1 --delta 1e-12 --json";
    // 1/b + 2 log(1 - delta)
    assertThat(run("epsilon --noise-multiplier 4 " + line).out()).contains("0.24999999999");
    assertThat(run("noise --target-epsilon 0.25 " + line).out())
        .contains("\"noiseMultiplier\": 4.000000000");
  }

  @Test
  void epsilon_discreteGaussian_rdpAlone() {
    String line = " --mechanism discrete-gaussian" + RUN;
    assertThat(run("epsilon --accountant rdp" + line).code()).isZero();
    assertThat(run("epsilon --accountant fdp" + line).err()).contains("with RdpAccountant");
  }

  @Test
  void tradeoff_png_isAnImage(@TempDir Path directory) throws Exception {
    Path picture = directory.resolve("curve.png");
    Outcome outcome = run("tradeoff --noise-multiplier 2 --steps 3 --points 3 --plot " + picture);
    assertThat(outcome.code()).isZero();
    java.awt.image.BufferedImage image = javax.imageio.ImageIO.read(picture.toFile());
    assertThat(image.getWidth()).isGreaterThan(900);
    long inked = 0;
    for (int x = 0; x < image.getWidth(); x++) {
      for (int y = 0; y < image.getHeight(); y++) {
        inked += (image.getRGB(x, y) & 0xffffff) == 0x08519c ? 1 : 0; // the colour of f
      }
    }
    assertThat(inked).isGreaterThan(500);
  }

  @Test
  void tradeoff_unwritable_isOneLineAndCodeTwo(@TempDir Path directory) {
    Outcome outcome =
        run(
            "tradeoff --noise-multiplier 2 --steps 3 --points 3 --plot "
                + directory.resolve("missing").resolve("x.svg"));
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err().trim())
        .startsWith("--plot must be writable, got ")
        .doesNotContain("\n");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "epsilon --sample-rate 2 --noise-multiplier 1 --steps 1 --delta 1e-5 |"
            + " --sample-rate must be in [0, 1], got 2.0; it is a probability",
        "epsilon --noise-multiplier NaN --steps 1 --delta 1e-5 |"
            + " --noise-multiplier must be finite and > 0, got NaN",
        "epsilon --noise-multiplier nan --steps 1 --delta 1e-5 |"
            + " --noise-multiplier must be finite and > 0, got NaN",
        "epsilon --noise-multiplier much --steps 1 --delta 1e-5 |"
            + " --noise-multiplier must be a number such as 0.01, 1e-5 or 1/60, got much",
        "epsilon --noise-multiplier 1 --sample-rate 1/x --steps 1 --delta 1e-5 |"
            + " --sample-rate must be a number such as 0.01, 1e-5 or 1/60, got 1/x",
        "epsilon --noise-multiplier 1 --sample-rate 1/0 --steps 1 --delta 1e-5 |"
            + " --sample-rate must be in [0, 1], got Infinity; it is a probability",
        "epsilon --noise-multiplier 1 --steps 1.5 --delta 1e-5 |"
            + " --steps must be a whole number below 2^63, such as 1000 or 1e6, got 1.5",
        "epsilon --noise-multiplier 1 --steps 1e-3 --delta 1e-5 |"
            + " --steps must be a whole number below 2^63, such as 1000 or 1e6, got 1e-3",
        "epsilon --noise-multiplier 1 --steps 1e19 --delta 1e-5 |"
            + " --steps must be a whole number below 2^63, such as 1000 or 1e6, got 1e19",
        "epsilon --noise-multiplier 1 --steps 1e999999999 --delta 1e-5 |"
            + " --steps must be a whole number below 2^63, such as 1000 or 1e6, got 1e999999999",
        "epsilon --noise-multiplier 1 --steps 10/3 --delta 1e-5 |"
            + " --steps must be a whole number below 2^63, such as 1000 or 1e6, got 10/3",
        "plan --dataset-size 10 --batch-sizes 2,x --target-epsilon 1 --delta 1e-5 |"
            + " --batch-sizes must be a whole number below 2^63, such as 1000 or 1e6, got x",
        "epsilon --accountant prv --noise-multiplier 1 --steps 1 --delta 1e-5 |"
            + " --accountant must be one of RDP, GDP, FDP, got prv",
        "tradeoff --noise-multiplier 1 --steps 1 --points 1e7 |"
            + " --points must be in [3, 10000], got 10000000",
        "epsilon --noise-multiplier 1 --steps -1 --delta 1e-5 | --steps must be >= 0, got -1",
        "epsilon --sampling fixed --adjacency zero-out --sample-rate 0.1 --noise-multiplier 1"
            + " --steps 1 --delta 1e-5 |"
            + " --adjacency must be replace-one with --sampling fixed, got zero-out",
        "epsilon --sampling none --sample-rate 0.1 --noise-multiplier 1 --steps 1 --delta 1e-5 |"
            + " --sample-rate must be 1 with --sampling none, got 0.1",
        "epsilon --mechanism laplace --sample-rate 0.1 --noise-multiplier 1 --steps 1 --delta 1e-5"
            + " | --mechanism must be gaussian with sampling, got laplace; use --sampling none",
        "epsilon --orders 2 --noise-multiplier 1 --steps 1 --delta 1e-5 |"
            + " --orders must come with --accountant rdp, got fdp",
        "plan --sample-rate 0.1 --dataset-size 10 --target-epsilon 1 --delta 1e-5 |"
            + " --sample-rate must be left out, got 0.1; it follows from --dataset-size and"
            + " --batch-sizes",
        "epsilon --noise-multiplier 1 --steps 1 --delta 1 | --delta must be in (0, 1), got 1.0;"
            + " choose it well below 1 / (number of records)",
        "noise --target-epsilon 0 --steps 1 --delta 1e-5 |"
            + " --target-epsilon must be finite and > 0, got 0.0",
        "tradeoff --noise-multiplier 1 --steps 1 --plot x.gif | --plot must end with .svg or .png,"
            + " got x.gif"
      })
  void badInput_isOneLineAndCodeTwo(String line, String message) {
    Outcome outcome = run(line);
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err().trim()).isEqualTo(message);
    assertThat(outcome.out()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "epsilon",
    "unknown",
    "epsilon --steps x --delta 1 --noise-multiplier 1",
    "''",
    "epsilon --accountant prv"
  })
  void malformedCommand_isOneLineAndCodeTwo(String line) {
    Outcome outcome = run(line);
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err().trim()).isNotEmpty().doesNotContain("\n");
  }
}
