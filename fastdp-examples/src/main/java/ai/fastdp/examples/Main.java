/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import ai.fastdp.examples.gpt2.Gpt2Command;
import ai.fastdp.examples.resnet.ResNetCommand;
import ai.fastdp.kernel.NativeAllocator;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Starts the examples: {@code java -jar fastdp-examples.jar gpt2 [options]}, or resnet. */
@Command(
    name = "fastdp-examples",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    description = "Examples of differentially private deep learning with fastdp.",
    subcommands = {Gpt2Command.class, ResNetCommand.class})
public final class Main {

  private Main() {}

  /**
   * Runs an example and exits: 0 when it is done, 2 on bad input, 1 if it fails.
   *
   * @param args the name of the example and its options
   */
  public static void main(String[] args) {
    stayOffline();
    NativeAllocator.keepFreedMemory();
    System.exit(commandLine().execute(args));
  }

  /**
   * Makes the parser of the command line. Bad input, be it found by the parser or by the example,
   * is one line on the error stream.
   */
  static CommandLine commandLine() {
    return new CommandLine(new Main())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setParameterExceptionHandler(
            (exception, arguments) -> {
              CommandLine failed = exception.getCommandLine();
              String message =
                  String.valueOf(exception.getMessage()).lines().findFirst().orElse("");
              failed.getErr().println("error: " + message);
              return failed.getCommandSpec().exitCodeOnInvalidInput();
            });
  }

  /** Everything that runs is on the class path, so DJL has nothing to ask the network for. */
  private static void stayOffline() {
    if (System.getProperty("ai.djl.offline") == null) {
      System.setProperty("ai.djl.offline", "true");
    }
  }
}
