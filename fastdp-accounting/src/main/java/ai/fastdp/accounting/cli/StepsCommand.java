/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.PrivacyAccountant;
import ai.fastdp.accounting.PrivacyBudget;
import ai.fastdp.accounting.RunCalibration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The steps that a budget allows. */
@Command(
    name = "steps",
    description = "The most steps for a target.",
    mixinStandardHelpOptions = true)
final class StepsCommand implements Runnable {

  @Mixin private RunOptions run = new RunOptions();

  @Option(names = "--accountant", description = "rdp or fdp (default).")
  private AccountantKind accountant = AccountantKind.FDP;

  @Option(names = "--noise-multiplier", required = true, description = "Noise over clip norm.")
  private double noiseMultiplier;

  @Option(names = "--target-epsilon", required = true, description = "Largest epsilon.")
  private double targetEpsilon;

  @Option(names = "--delta", required = true, description = "Delta in (0, 1).")
  private double delta;

  @Spec private @Nullable CommandSpec spec;

  @Override
  public void run() {
    long steps =
        RunCalibration.steps(
            () -> accountant.create(run.relation()),
            new PrivacyBudget(targetEpsilon, delta),
            run.step(noiseMultiplier));
    PrivacyAccountant made = accountant.create(run.relation());
    made.compose(run.step(noiseMultiplier), steps);
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("accountant", made.name());
    result.putAll(run.describe());
    result.put("noiseMultiplier", noiseMultiplier);
    result.put("delta", delta);
    result.put("targetEpsilon", targetEpsilon);
    result.put("steps", steps);
    result.put("epsilon", Report.bounds(made.epsilon(delta)));
    Report.print(Objects.requireNonNull(spec).commandLine().getOut(), run.isJson(), result);
  }
}
