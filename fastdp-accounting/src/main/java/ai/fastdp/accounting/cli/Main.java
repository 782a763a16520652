/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Entry point of the command line. */
@Command(
    name = "fastdp-accounting",
    mixinStandardHelpOptions = true,
    version = "fastdp-accounting 0.1.0",
    description = "Privacy accounting of DP-SGD: epsilon, delta, noise, steps, plans.",
    footer = "Numbers may be typed as 1000, 1e6, 0.01 or 1/60.",
    subcommands = {
      EpsilonCommand.class,
      DeltaCommand.class,
      NoiseCommand.class,
      StepsCommand.class,
      CompareCommand.class,
      PlanCommand.class,
      StatementCommand.class,
      TradeoffCommand.class
    })
public final class Main implements Runnable {

  private static final int BAD_INPUT = 2;

  private static final Pattern SUBJECT = Pattern.compile("^([a-zA-Z]+) must");

  private static final Pattern BAD_VALUE =
      Pattern.compile("Invalid value for option '([^']+)'[^:]*: (must .*)");

  private static final Pattern BAD_NAME =
      Pattern.compile(
          "Invalid value for option '([^']+)'[^:]*: expected one of \\[(.*)\\].* but was '(.*)'");

  private static final Map<String, String> OPTIONS =
      Map.of(
          "sampleRate", "--sample-rate",
          "noiseMultiplier", "--noise-multiplier",
          "steps", "--steps",
          "count", "--steps",
          "delta", "--delta",
          "epsilon", "--target-epsilon",
          "datasetSize", "--dataset-size",
          "order", "--orders");

  @Spec private @Nullable CommandSpec spec;

  private Main() {}

  /**
   * Runs one command and exits: 0 if it went well, 2 for bad input, 1 otherwise.
   *
   * @param arguments as typed
   */
  public static void main(String[] arguments) {
    System.exit(
        run(
            arguments,
            new PrintWriter(System.out, true, UTF_8),
            new PrintWriter(System.err, true, UTF_8)));
  }

  /** Runs one command. */
  static int run(String[] arguments, PrintWriter out, PrintWriter err) {
    CommandLine line = new CommandLine(new Main());
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.registerConverter(double.class, text -> new TypedNumber(text).real());
    line.registerConverter(Double.class, text -> new TypedNumber(text).real());
    line.registerConverter(long.class, text -> new TypedNumber(text).whole());
    line.registerConverter(Long.class, text -> new TypedNumber(text).whole());
    line.setOut(out);
    line.setErr(err);
    line.setParameterExceptionHandler(
        (exception, unused) -> {
          err.println(inOneForm(firstLine(exception)));
          return BAD_INPUT;
        });
    line.setExecutionExceptionHandler(
        (exception, command, result) -> {
          if (exception instanceof IllegalArgumentException
              || exception instanceof UncheckedIOException) {
            err.println(withOptionName(firstLine(exception)));
            return BAD_INPUT;
          }
          throw exception;
        });
    return line.execute(arguments);
  }

  private static String firstLine(Exception exception) {
    return String.valueOf(exception.getMessage()).split("\\R", 2)[0];
  }

  /** The parser's complaint about a value, as the other messages are. */
  private static String inOneForm(String message) {
    Matcher value = BAD_VALUE.matcher(message);
    if (value.matches()) {
      return value.group(1) + " " + value.group(2);
    }
    Matcher name = BAD_NAME.matcher(message);
    return name.matches()
        ? name.group(1) + " must be one of " + name.group(2) + ", got " + name.group(3)
        : message;
  }

  /** Names the option instead of the parameter. */
  private static String withOptionName(String message) {
    Matcher matcher = SUBJECT.matcher(message);
    if (!matcher.find()) {
      return message;
    }
    String subject = matcher.group(1);
    return OPTIONS.getOrDefault(subject, subject) + message.substring(subject.length());
  }

  @Override
  public void run() {
    throw new CommandLine.ParameterException(
        java.util.Objects.requireNonNull(spec).commandLine(),
        "a command must be given, got none; try --help");
  }
}
