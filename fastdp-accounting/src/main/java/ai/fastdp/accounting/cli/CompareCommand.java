/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.PrivacyAccountant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** All accountants side by side. */
@Command(
    name = "compare",
    description = "Epsilon by every accountant.",
    mixinStandardHelpOptions = true)
final class CompareCommand implements Runnable {

  @Mixin private RunOptions run = new RunOptions();

  @Option(names = "--noise-multiplier", required = true, description = "Noise over clip norm.")
  private double noiseMultiplier;

  @Option(names = "--steps", required = true, description = "Number of steps.")
  private long steps;

  @Option(names = "--delta", required = true, description = "Delta in (0, 1).")
  private double delta;

  @Spec private @Nullable CommandSpec spec;

  @Override
  public void run() {
    Map<String, Object> result = run.describe();
    result.put("noiseMultiplier", noiseMultiplier);
    result.put("steps", steps);
    result.put("delta", delta);
    Map<String, Object> epsilons = new LinkedHashMap<>();
    for (AccountantKind kind : AccountantKind.values()) {
      PrivacyAccountant made = kind.create(run.relation());
      made.compose(run.step(noiseMultiplier), steps);
      epsilons.put(made.name(), Report.bounds(made.epsilon(delta)));
    }
    if (run.isJson()) {
      result.put("epsilon", epsilons);
    } else {
      result.putAll(epsilons);
    }
    Report.print(Objects.requireNonNull(spec).commandLine().getOut(), run.isJson(), result);
  }
}
