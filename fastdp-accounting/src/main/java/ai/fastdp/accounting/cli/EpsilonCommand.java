/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.FdpAccountant;
import ai.fastdp.accounting.PrivacyAccountant;
import ai.fastdp.accounting.RdpAccountant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Epsilon of a run. */
@Command(
    name = "epsilon",
    description = "Epsilon of a run at one delta.",
    mixinStandardHelpOptions = true)
final class EpsilonCommand implements Runnable {

  @Mixin private RunOptions run = new RunOptions();

  @Option(names = "--accountant", description = "rdp, gdp or fdp (default).")
  private AccountantKind accountant = AccountantKind.FDP;

  @Option(names = "--noise-multiplier", required = true, description = "Noise over clip norm.")
  private double noiseMultiplier;

  @Option(names = "--steps", required = true, description = "Number of steps.")
  private long steps;

  @Option(names = "--delta", required = true, description = "Delta in (0, 1).")
  private double delta;

  @Option(
      names = "--orders",
      split = ",",
      description = "Use these Renyi orders only, as other tools do (rdp).")
  private List<Double> orders = List.of();

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
    result.put("delta", delta);
    if (made instanceof FdpAccountant fdp) {
      FdpAccountant.Answer answer = fdp.answer(delta);
      result.put("epsilon", Report.bounds(answer.epsilon()));
      result.put("method", answer.method().name().toLowerCase(Locale.ROOT));
    } else if (made instanceof RdpAccountant rdp) {
      RdpAccountant.Optimum optimum = orders.isEmpty() ? rdp.optimum(delta) : best(rdp);
      Map<String, Object> bounds = Report.bounds(rdp.epsilon(delta));
      bounds.put("upper", optimum.epsilon());
      result.put("epsilon", bounds);
      result.put("order", optimum.order());
    } else {
      result.put("epsilon", Report.bounds(made.epsilon(delta)));
    }
    Report.print(Objects.requireNonNull(spec).commandLine().getOut(), run.isJson(), result);
  }

  private RdpAccountant.Optimum best(RdpAccountant rdp) {
    RdpAccountant.Optimum best = null;
    for (double order : orders) {
      double epsilon = rdp.epsilonAtOrder(delta, order);
      if (best == null || epsilon < best.epsilon()) {
        best = new RdpAccountant.Optimum(epsilon, order);
      }
    }
    return Objects.requireNonNull(best);
  }
}
