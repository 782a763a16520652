/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.statement.PrivacyStatement;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The privacy statement of a run. */
@Command(name = "statement", description = "What a run may claim.", mixinStandardHelpOptions = true)
final class StatementCommand extends AccountantCommand {

  @Mixin private NoiseOption noise = new NoiseOption();
  @Mixin private StepsOption steps = new StepsOption();
  @Mixin private DeltaOption delta = new DeltaOption();

  @Option(names = "--unit", description = "Whose privacy: record by default.")
  private String unit = "record";

  @Option(names = "--plan-hash", description = "Identifies the plan.")
  private String planHash = "unspecified";

  @Override
  public void run() {
    PrivacyStatement statement =
        options().statement(create(), unit, noise.value(), steps.value(), delta.value(), planHash);
    out().println(options().isJson() ? statement.toJson() : statement.toProse());
  }
}
