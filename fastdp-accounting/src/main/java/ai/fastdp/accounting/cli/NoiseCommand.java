/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.calibration.NoiseCalibration;
import ai.fastdp.accounting.event.SelfComposedEvent;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The noise that a target needs. */
@Command(
    name = "noise",
    description = "The least noise multiplier for a target.",
    mixinStandardHelpOptions = true)
final class NoiseCommand extends AccountantCommand {

  @Mixin private TargetOption target = new TargetOption();
  @Mixin private StepsOption steps = new StepsOption();
  @Mixin private DeltaOption delta = new DeltaOption();

  @Override
  public void run() {
    double found =
        NoiseCalibration.noiseMultiplier(
            this::create,
            new PrivacyBudget(target.value(), delta.value()),
            sigma -> new SelfComposedEvent(options().step(sigma), steps.value()),
            basis());
    EpsilonBound reached = after(found, steps.value()).epsilon(delta.value());
    Map<String, Object> result = describe();
    result.put("steps", steps.value());
    result.put("delta", delta.value());
    result.put("targetEpsilon", target.value());
    result.put("noiseMultiplier", found);
    result.put("epsilon", Report.bounds(reached));
    result.put("basis", basis().name().toLowerCase(Locale.ROOT));
    print(result);
  }
}
