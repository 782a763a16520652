/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.calibration.RunCalibration;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The steps that a budget allows. */
@Command(
    name = "steps",
    description = "The most steps for a target.",
    mixinStandardHelpOptions = true)
final class StepsCommand extends AccountantCommand {

  @Mixin private NoiseOption noise = new NoiseOption();
  @Mixin private TargetOption target = new TargetOption();
  @Mixin private DeltaOption delta = new DeltaOption();

  @Override
  public void run() {
    long steps =
        RunCalibration.steps(
            this::create,
            new PrivacyBudget(target.value(), delta.value()),
            options().step(noise.value()),
            basis());
    Map<String, Object> result = describe();
    result.put("noiseMultiplier", noise.value());
    result.put("delta", delta.value());
    result.put("targetEpsilon", target.value());
    result.put("steps", steps);
    result.put("epsilon", Report.bounds(after(noise.value(), steps).epsilon(delta.value())));
    result.put("basis", basis().name().toLowerCase(Locale.ROOT));
    print(result);
  }
}
