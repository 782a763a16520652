/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** All accountants side by side. */
@Command(
    name = "compare",
    description = "Epsilon by every accountant.",
    mixinStandardHelpOptions = true)
final class CompareCommand extends RunCommand {

  @Mixin private NoiseOption noise = new NoiseOption();
  @Mixin private StepsOption steps = new StepsOption();
  @Mixin private DeltaOption delta = new DeltaOption();

  @Override
  public void run() {
    Map<String, Object> result = options().describe();
    result.put("noiseMultiplier", noise.value());
    result.put("steps", steps.value());
    result.put("delta", delta.value());
    Map<String, Object> epsilons = new LinkedHashMap<>();
    for (AccountantKind kind : AccountantKind.values()) {
      String name = kind.name().toLowerCase(Locale.ROOT);
      if (kind.create(options().relation()).supports(options().step(noise.value()))) {
        epsilons.put(
            name, Report.bounds(after(kind, noise.value(), steps.value()).epsilon(delta.value())));
      } else {
        epsilons.put(name, "unsupported");
      }
    }
    if (options().isJson()) {
      result.put("epsilon", epsilons);
    } else {
      result.putAll(epsilons);
    }
    print(result);
  }
}
