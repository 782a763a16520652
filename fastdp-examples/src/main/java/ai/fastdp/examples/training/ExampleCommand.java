/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** An example as a command: runs, and reports bad input as the command line parser does. */
public abstract class ExampleCommand implements Callable<Integer> {

  @Spec private @Nullable CommandSpec spec;

  /** Made by the command line parser. */
  protected ExampleCommand() {}

  /**
   * Runs the example.
   *
   * @param out where the report is printed
   * @throws InputException if an option, or a file that it names, cannot be used
   * @throws IOException if a file cannot be written
   */
  protected abstract void run(PrintWriter out) throws IOException;

  /**
   * Runs the example.
   *
   * @return 0
   * @throws ParameterException if an option, or a file that it names, cannot be used
   */
  @Override
  public final Integer call() throws IOException {
    CommandLine commandLine = Objects.requireNonNull(spec).commandLine();
    try {
      run(commandLine.getOut());
      return commandLine.getCommandSpec().exitCodeOnSuccess();
    } catch (InputException e) {
      throw new ParameterException(commandLine, e.getMessage(), e);
    }
  }
}
