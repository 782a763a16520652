/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The command line of the benchmarks. */
@Command(
    name = "benchmarks",
    mixinStandardHelpOptions = true,
    description = "Measures the cost of privacy.",
    subcommands = {StepCommand.class, UpdateCommand.class})
public final class Main {
  private Main() {}

  /**
   * Runs a benchmark.
   *
   * @param arguments see {@code --help}
   */
  public static void main(String[] arguments) {
    CommandLine line = new CommandLine(new Main());
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setParameterExceptionHandler(
        (exception, given) -> {
          exception.getCommandLine().getErr().println(exception.getMessage());
          return CommandLine.ExitCode.USAGE;
        });
    System.exit(line.execute(arguments));
  }
}
