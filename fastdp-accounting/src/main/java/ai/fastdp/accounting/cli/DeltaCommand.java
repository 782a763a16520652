/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.DeltaBound;
import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.accountant.GdpAccountant;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.RdpAccountant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Delta of a run. */
@Command(
    name = "delta",
    description = "Delta of a run at one epsilon.",
    mixinStandardHelpOptions = true)
final class DeltaCommand extends AccountantCommand {

  @Mixin private NoiseOption noise = new NoiseOption();
  @Mixin private StepsOption steps = new StepsOption();
  @Mixin private TargetOption target = new TargetOption();

  @Override
  public void run() {
    PrivacyAccountant made = after(noise.value(), steps.value());
    Map<String, Object> result = describe();
    result.put("noiseMultiplier", noise.value());
    result.put("steps", steps.value());
    result.put("epsilon", target.value());
    result.put("delta", bounds(made));
    print(result);
  }

  private Map<String, Object> bounds(PrivacyAccountant made) {
    Map<String, Object> bounds = new LinkedHashMap<>();
    bounds.put("lower", OptionalDouble.empty());
    bounds.put("estimate", OptionalDouble.empty());
    bounds.put("upper", OptionalDouble.empty());
    if (made instanceof FdpAccountant fdp) {
      DeltaBound bound = fdp.delta(target.value());
      bounds.put("lower", bound.lower());
      bounds.put("estimate", bound.estimate());
      bounds.put("upper", bound.upper());
    } else if (made instanceof RdpAccountant rdp) {
      bounds.put("upper", rdp.delta(target.value()));
    } else if (made instanceof GdpAccountant gdp) {
      bounds.put("estimate", gdp.delta(target.value()));
    }
    return bounds;
  }
}
