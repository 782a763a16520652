/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.FdpAccountant;
import ai.fastdp.accounting.GdpAccountant;
import ai.fastdp.accounting.TradeOffCurve;
import ai.fastdp.accounting.TypeTwoBound;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The trade-off function of a run. */
@Command(
    name = "tradeoff",
    description = "Type II against type I error of a membership test, with its envelope.",
    mixinStandardHelpOptions = true)
final class TradeoffCommand implements Runnable {

  @Mixin private RunOptions run = new RunOptions();

  @Option(names = "--noise-multiplier", required = true, description = "Noise over clip norm.")
  private double noiseMultiplier;

  @Option(names = "--steps", required = true, description = "Number of steps.")
  private long steps;

  @Option(names = "--delta", description = "Delta of the (epsilon, delta) line; 1e-5 by default.")
  private double delta = 1e-5;

  @Option(names = "--points", description = "Number of type I errors; 41 by default.")
  private int points = 41;

  @Option(names = "--plot", paramLabel = "FILE.svg", description = "Write a picture.")
  private @Nullable Path plot;

  @Spec private @Nullable CommandSpec spec;

  @Override
  public void run() {
    if (points < 3 || points > 10_000) {
      throw new IllegalArgumentException("--points must be in [3, 10000], got " + points);
    }
    if (plot != null && !plot.toString().endsWith(".svg")) {
      throw new IllegalArgumentException("--plot must end with .svg, got " + plot);
    }
    FdpAccountant fdp = new FdpAccountant(run.relation());
    fdp.compose(run.step(noiseMultiplier), steps);
    GdpAccountant gdp = new GdpAccountant(run.relation());
    gdp.compose(run.step(noiseMultiplier), steps);
    TradeOffCurve curve = fdp.tradeOff();
    List<CurvePoint> rows = new ArrayList<>();
    for (int i = 0; i < points; i++) {
      double typeOne = (double) i / (points - 1);
      rows.add(new CurvePoint(typeOne, curve.at(typeOne)));
    }
    double epsilon = fdp.epsilon(delta).upper().orElseThrow();
    if (plot != null) {
      try {
        Files.writeString(plot, TradeoffPicture.svg(rows, gdp.mu(), epsilon, delta));
      } catch (IOException e) {
        throw new UncheckedIOException("cannot write " + plot, e);
      }
    }
    PrintWriter out = Objects.requireNonNull(spec).commandLine().getOut();
    if (run.isJson()) {
      Map<String, Object> result = run.describe();
      result.put("noiseMultiplier", noiseMultiplier);
      result.put("steps", steps);
      result.put("gaussianEstimate", gdp.mu());
      result.put("delta", delta);
      result.put("epsilon", epsilon);
      result.put("curve", rows.stream().map(CurvePoint::toMap).toList());
      out.println(JsonText.of(result));
    } else {
      out.println("typeOne lower estimate upper");
      for (CurvePoint row : rows) {
        TypeTwoBound bound = row.typeTwo();
        out.println(
            row.typeOne() + " " + bound.lower() + " " + bound.estimate() + " " + bound.upper());
      }
    }
  }
}
