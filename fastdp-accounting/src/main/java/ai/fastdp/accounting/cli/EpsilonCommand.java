/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.RdpAccountant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Epsilon of a run. */
@Command(
    name = "epsilon",
    description = "Epsilon of a run at one delta.",
    mixinStandardHelpOptions = true)
final class EpsilonCommand extends AccountantCommand {

  @Mixin private NoiseOption noise = new NoiseOption();
  @Mixin private StepsOption steps = new StepsOption();
  @Mixin private DeltaOption delta = new DeltaOption();

  @Option(
      names = "--orders",
      split = ",",
      description = "Use these Renyi orders only, as other tools do (rdp).")
  private List<Double> orders = List.of();

  @Override
  public void run() {
    if (!orders.isEmpty() && kind() != AccountantKind.RDP) {
      throw new IllegalArgumentException(
          "--orders must come with --accountant rdp, got "
              + kind().name().toLowerCase(Locale.ROOT));
    }
    PrivacyAccountant made = after(noise.value(), steps.value());
    Map<String, Object> result = describe();
    result.put("noiseMultiplier", noise.value());
    result.put("steps", steps.value());
    result.put("delta", delta.value());
    if (made instanceof FdpAccountant fdp) {
      FdpAccountant.Answer answer = fdp.answer(delta.value());
      result.put("epsilon", Report.bounds(answer.epsilon()));
      result.put("method", answer.method());
    } else if (made instanceof RdpAccountant rdp) {
      RdpAccountant.Optimum optimum = orders.isEmpty() ? rdp.optimum(delta.value()) : best(rdp);
      Map<String, Object> bounds = Report.bounds(rdp.epsilon(delta.value()));
      bounds.put("upper", optimum.epsilon());
      result.put("epsilon", bounds);
      result.put("order", optimum.order());
    } else {
      result.put("epsilon", Report.bounds(made.epsilon(delta.value())));
    }
    print(result);
  }

  private RdpAccountant.Optimum best(RdpAccountant rdp) {
    RdpAccountant.Optimum best = null;
    for (double order : orders) {
      double epsilon = rdp.epsilonAtOrder(delta.value(), order);
      if (best == null || epsilon < best.epsilon()) {
        best = new RdpAccountant.Optimum(epsilon, order);
      }
    }
    return Objects.requireNonNull(best);
  }
}
