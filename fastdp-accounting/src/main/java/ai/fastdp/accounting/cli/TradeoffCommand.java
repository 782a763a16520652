/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.accountant.GdpAccountant;
import ai.fastdp.accounting.accountant.TradeOffCurve;
import ai.fastdp.accounting.accountant.TypeTwoBound;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The trade-off function of a run. */
@Command(
    name = "tradeoff",
    description = "Type II against type I error of a membership test, with its envelope.",
    mixinStandardHelpOptions = true)
final class TradeoffCommand extends RunCommand {

  private static final int POINTS_OF_A_PICTURE = 61;

  @Mixin private NoiseOption noise = new NoiseOption();
  @Mixin private StepsOption steps = new StepsOption();

  @Option(names = "--delta", description = "Delta of the (epsilon, delta) line; 1e-5 by default.")
  private double delta = 1e-5;

  @Option(names = "--points", description = "Number of type I errors; 41 by default.")
  private long points = 41;

  @Option(
      names = "--plot",
      paramLabel = "FILE",
      description = "Write a picture; the name ends with .svg or .png.")
  private @Nullable Path plot;

  @Override
  public void run() {
    requireUsableOptions();
    FdpAccountant fdp = (FdpAccountant) after(AccountantKind.FDP, noise.value(), steps.value());
    OptionalDouble mu = gaussianEstimate();
    double epsilon = fdp.epsilon(delta).upper().orElseThrow();
    TradeOffCurve curve = fdp.tradeOff();
    if (plot != null) {
      write(
          plot,
          new TradeoffPicture(
                  options().describe(), noise.value(), steps.value(), mu, epsilon, delta)
              .svg(pictured(curve)));
    }
    List<CurvePoint> rows = new ArrayList<>();
    for (long i = 0; i < points; i++) {
      double typeOne = (double) i / (points - 1);
      rows.add(new CurvePoint(typeOne, curve.at(typeOne)));
    }
    if (options().isJson()) {
      printJson(mu, epsilon, rows);
    } else {
      printTable(rows);
    }
  }

  private void requireUsableOptions() {
    if (points < 3 || points > 10_000) {
      throw new IllegalArgumentException("--points must be in [3, 10000], got " + points);
    }
    if (plot != null && !plot.toString().matches(".*\\.(svg|png)")) {
      throw new IllegalArgumentException("--plot must end with .svg or .png, got " + plot);
    }
  }

  /** The parameter mu of the central limit theorem, if it has one for these steps. */
  private OptionalDouble gaussianEstimate() {
    GdpAccountant gdp = new GdpAccountant(options().relation());
    if (!gdp.supports(options().step(noise.value()))) {
      return OptionalDouble.empty();
    }
    gdp.compose(options().step(noise.value()), steps.value());
    return OptionalDouble.of(gdp.mu());
  }

  private void printJson(OptionalDouble mu, double epsilon, List<CurvePoint> rows) {
    Map<String, Object> result = options().describe();
    result.put("noiseMultiplier", noise.value());
    result.put("steps", steps.value());
    result.put("gaussianEstimate", mu);
    result.put("delta", delta);
    result.put("epsilon", epsilon);
    result.put("curve", rows.stream().map(CurvePoint::toMap).toList());
    out().println(JsonText.of(result));
  }

  private void printTable(List<CurvePoint> rows) {
    out().println("typeOne lower estimate upper");
    for (CurvePoint row : rows) {
      TypeTwoBound bound = row.typeTwo();
      out()
          .println(
              row.typeOne() + " " + bound.lower() + " " + bound.estimate() + " " + bound.upper());
    }
  }

  /** Denser at both ends, where the curve may be steep. */
  private static List<CurvePoint> pictured(TradeOffCurve curve) {
    List<CurvePoint> rows = new ArrayList<>();
    for (int i = 0; i < POINTS_OF_A_PICTURE; i++) {
      double t = (double) i / (POINTS_OF_A_PICTURE - 1);
      double typeOne = t * t * (3 - 2 * t);
      rows.add(new CurvePoint(typeOne, curve.at(typeOne)));
    }
    return rows;
  }

  private static void write(Path plot, String svg) {
    try {
      Files.write(
          plot,
          plot.toString().endsWith(".svg")
              ? svg.getBytes(StandardCharsets.UTF_8)
              : RasterPicture.png(svg));
    } catch (IOException e) {
      throw new UncheckedIOException("--plot must be writable, got " + plot, e);
    }
  }
}
