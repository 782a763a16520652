/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.DeltaBound;
import ai.fastdp.accounting.FdpAccountant;
import ai.fastdp.accounting.GdpAccountant;
import ai.fastdp.accounting.PrivacyAccountant;
import ai.fastdp.accounting.RdpAccountant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Delta of a run. */
@Command(
    name = "delta",
    description = "Delta of a run at one epsilon.",
    mixinStandardHelpOptions = true)
final class DeltaCommand implements Runnable {

  @Mixin private RunOptions run = new RunOptions();

  @Option(names = "--accountant", description = "rdp, gdp or fdp (default).")
  private AccountantKind accountant = AccountantKind.FDP;

  @Option(names = "--noise-multiplier", required = true, description = "Noise over clip norm.")
  private double noiseMultiplier;

  @Option(names = "--steps", required = true, description = "Number of steps.")
  private long steps;

  @Option(
      names = {"--target-epsilon", "--epsilon"},
      required = true,
      description = "Epsilon, at least 0.")
  private double epsilon;

  @Spec private @Nullable CommandSpec spec;

  @Override
  public void run() {
    PrivacyAccountant made = accountant.create(run.relation());
    made.compose(run.step(noiseMultiplier), steps);
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("accountant", made.name());
    result.putAll(run.describe());
    result.put("noiseMultiplier", noiseMultiplier);
    result.put("steps", steps);
    result.put("epsilon", epsilon);
    result.put("delta", bounds(made));
    Report.print(Objects.requireNonNull(spec).commandLine().getOut(), run.isJson(), result);
  }

  private Map<String, Object> bounds(PrivacyAccountant made) {
    Map<String, Object> bounds = new LinkedHashMap<>();
    bounds.put("lower", OptionalDouble.empty());
    bounds.put("estimate", OptionalDouble.empty());
    bounds.put("upper", OptionalDouble.empty());
    if (made instanceof FdpAccountant fdp) {
      DeltaBound bound = fdp.delta(epsilon);
      bounds.put("lower", bound.lower());
      bounds.put("estimate", bound.estimate());
      bounds.put("upper", bound.upper());
    } else if (made instanceof RdpAccountant rdp) {
      bounds.put("upper", rdp.delta(epsilon));
    } else if (made instanceof GdpAccountant gdp) {
      bounds.put("estimate", gdp.delta(epsilon));
    }
    return bounds;
  }
}
