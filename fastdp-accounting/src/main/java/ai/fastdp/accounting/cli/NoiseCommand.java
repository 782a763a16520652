/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.NoiseCalibration;
import ai.fastdp.accounting.PrivacyAccountant;
import ai.fastdp.accounting.PrivacyBudget;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The noise that a target needs. */
@Command(
    name = "noise",
    description = "The least noise multiplier for a target.",
    mixinStandardHelpOptions = true)
final class NoiseCommand implements Runnable {

  @Mixin private RunOptions run = new RunOptions();

  @Option(names = "--accountant", description = "rdp, gdp (an estimate) or fdp (default).")
  private AccountantKind accountant = AccountantKind.FDP;

  @Option(names = "--target-epsilon", required = true, description = "Largest epsilon.")
  private double targetEpsilon;

  @Option(names = "--steps", required = true, description = "Number of steps.")
  private long steps;

  @Option(names = "--delta", required = true, description = "Delta in (0, 1).")
  private double delta;

  @Spec private @Nullable CommandSpec spec;

  @Override
  public void run() {
    NoiseCalibration.Basis basis =
        accountant == AccountantKind.GDP && run.sampleRate() < 1
            ? NoiseCalibration.Basis.ESTIMATE
            : NoiseCalibration.Basis.UPPER_BOUND;
    double sigma =
        NoiseCalibration.noiseMultiplier(
            () -> accountant.create(run.relation()),
            new PrivacyBudget(targetEpsilon, delta),
            run.sampleRate(),
            steps,
            basis);
    PrivacyAccountant made = accountant.create(run.relation());
    made.compose(run.step(sigma), steps);
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("accountant", made.name());
    result.putAll(run.describe());
    result.put("steps", steps);
    result.put("delta", delta);
    result.put("targetEpsilon", targetEpsilon);
    result.put("noiseMultiplier", sigma);
    result.put("epsilon", Report.bounds(made.epsilon(delta)));
    result.put("basis", basis.name().toLowerCase(Locale.ROOT));
    Report.print(Objects.requireNonNull(spec).commandLine().getOut(), run.isJson(), result);
  }
}
