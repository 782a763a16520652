/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.PrivacyAccountant;
import java.util.Map;
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
    result.put("delta", Report.bounds(made.delta(target.value())));
    print(result);
  }
}
