/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.PrivacyStatement;
import java.io.PrintWriter;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The privacy statement of a run. */
@Command(name = "statement", description = "What a run may claim.", mixinStandardHelpOptions = true)
final class StatementCommand implements Runnable {

  @Mixin private RunOptions run = new RunOptions();

  @Option(names = "--accountant", description = "rdp, gdp or fdp (default).")
  private AccountantKind accountant = AccountantKind.FDP;

  @Option(names = "--noise-multiplier", required = true, description = "Noise over clip norm.")
  private double noiseMultiplier;

  @Option(names = "--steps", required = true, description = "Number of steps.")
  private long steps;

  @Option(names = "--delta", required = true, description = "Delta in (0, 1).")
  private double delta;

  @Option(names = "--unit", description = "Whose privacy: record by default.")
  private String unit = "record";

  @Option(names = "--plan-hash", description = "Identifies the plan.")
  private String planHash = "unspecified";

  @Spec private @Nullable CommandSpec spec;

  @Override
  public void run() {
    PrivacyStatement statement =
        PrivacyStatement.ofPoissonRun(
            accountant.create(run.relation()),
            unit,
            run.sampleRate(),
            noiseMultiplier,
            steps,
            delta,
            planHash);
    PrintWriter out = Objects.requireNonNull(spec).commandLine().getOut();
    out.println(run.isJson() ? statement.toJson() : statement.toProse());
  }
}
