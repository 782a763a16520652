/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;

/** A run of the program as a user starts it, in a directory that stands for DIR in its options. */
final class Program {

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private final String example;
  private final Path directory;

  Program(String example, Path directory) {
    this.example = example;
    this.directory = directory;
  }

  /** Runs the example; the report goes to DIR/report unless the options say otherwise. */
  int run(String options) {
    List<String> arguments = new ArrayList<>(List.of(example));
    for (String argument : options.strip().split(" ", -1)) {
      arguments.add(argument.replace("DIR", directory.toString()));
    }
    arguments.remove("");
    if (!arguments.contains("--report")) {
      arguments.addAll(List.of("--report", directory.resolve("report").toString()));
    }
    CommandLine commandLine = Main.commandLine();
    commandLine.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    return commandLine.execute(arguments.toArray(new String[0]));
  }

  String out() {
    return out.toString();
  }

  String err() {
    return err.toString();
  }

  JsonObject summary(String report) throws IOException {
    Path file = directory.resolve(report).resolve("summary.json");
    return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
  }
}
