/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.calibration.NoiseCalibration;
import ai.fastdp.accounting.event.SelfComposedEvent;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Batch sizes and epochs against the noise they need. */
@Command(
    name = "plan",
    description =
        "Noise over a grid of batch sizes and epochs: sigma, effective noise sigma/(qN), and total"
            + " noise sigma/(q sqrt(T)) (TAN, arXiv 2210.03403).",
    mixinStandardHelpOptions = true)
final class PlanCommand extends AccountantCommand {

  @Mixin private TargetOption target = new TargetOption();
  @Mixin private DeltaOption delta = new DeltaOption();

  @Option(names = "--dataset-size", required = true, description = "Number of records N, public.")
  private long datasetSize;

  @Option(names = "--batch-sizes", split = ",", description = "Expected batch sizes.")
  private List<Long> batchSizes = List.of(64L, 256L, 1024L, 4096L);

  @Option(names = "--epochs", split = ",", description = "Numbers of epochs.")
  private List<Double> epochs = List.of(1.0, 3.0, 10.0);

  @Override
  public void run() {
    options().requireNoRate();
    if (datasetSize < 1) {
      throw new IllegalArgumentException("datasetSize must be >= 1, got " + datasetSize);
    }
    List<Map<String, Object>> rows = new ArrayList<>();
    for (long batch : batchSizes) {
      if (batch < 1 || batch > datasetSize) {
        throw new IllegalArgumentException(
            "--batch-sizes must be in [1, --dataset-size], got " + batch);
      }
      for (double epoch : epochs) {
        if (!(epoch > 0 && epoch < 1e9)) {
          throw new IllegalArgumentException("--epochs must be in (0, 1e9), got " + epoch);
        }
        rows.add(row(batch, epoch));
      }
    }
    PrintWriter out = out();
    if (options().isJson()) {
      Map<String, Object> result = describe();
      result.remove("sampleRate");
      result.put("sampleSize", datasetSize);
      result.put("targetEpsilon", target.value());
      result.put("delta", delta.value());
      result.put("grid", rows);
      out.println(JsonText.of(result));
      return;
    }
    out.printf(
        Locale.ROOT,
        "%10s %8s %12s %10s %14s %16s %12s%n",
        "batchSize",
        "epochs",
        "sampleRate",
        "steps",
        "sigma",
        "effectiveNoise",
        "totalNoise");
    for (Map<String, Object> row : rows) {
      out.printf(
          Locale.ROOT, "%10d %8.3g %12.6g %10d %14.9g %16.6g %12.6g%n", row.values().toArray());
    }
  }

  private Map<String, Object> row(long batch, double epoch) {
    double rate = (double) batch / datasetSize;
    // Rounded up: a step too few would be a promise not kept.
    long steps = (long) Math.ceil(epoch * datasetSize / batch);
    double sigma =
        NoiseCalibration.noiseMultiplier(
            this::create,
            new PrivacyBudget(target.value(), delta.value()),
            noise -> new SelfComposedEvent(options().step(batch, datasetSize, noise), steps));
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("batchSize", batch);
    row.put("epochs", epoch);
    row.put("sampleRate", rate);
    row.put("steps", steps);
    row.put("noiseMultiplier", sigma);
    row.put("effectiveNoise", sigma / batch);
    row.put("totalNoise", sigma / (rate * Math.sqrt((double) steps)));
    return row;
  }
}
