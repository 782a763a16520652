/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Does what docs/tutorial.md says, in an empty directory, and sees what it shows. */
@Tag("slow")
@DisabledOnOs(OS.WINDOWS) // the commands are those of a Unix shell
class TutorialTest {
  private static final Path TUTORIAL = Path.of("..", "docs", "tutorial.md");

  /** A file: its name in a line of its own, and its contents in a block of code. */
  private static final Pattern FILE =
      Pattern.compile(
          "^`([^`]+)`:\\n\\n```\\w+\\n(.*?)\\n```$", Pattern.MULTILINE | Pattern.DOTALL);

  /** Commands, each after a dollar sign, and what they print. */
  private static final Pattern CONSOLE =
      Pattern.compile("^```console\\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);

  private static final Pattern PROGRAM =
      Pattern.compile("mvn -q compile exec:java -Dexec.mainClass=(\\w+)(?: -Dexec.args=(\\w+))?");

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path directory;

  private record Command(String text, String output) {}

  @Test
  void tutorial_followed_printsWhatItShows() throws Exception {
    String document = Files.readString(TUTORIAL);
    List<String> sources = writeFiles(document);
    assertThat(sources).hasSize(4);
    compile(sources);
    List<Command> commands = commands(document);
    assertThat(commands).hasSize(7);
    for (Command command : commands) {
      assertThat(withoutChance(run(command.text())))
          .as(command.text())
          .isEqualTo(withoutChance(command.output()));
    }
  }

  /** Writes the files of the tutorial, and returns its sources. */
  private List<String> writeFiles(String document) throws IOException {
    List<String> sources = new ArrayList<>();
    Matcher file = FILE.matcher(document);
    while (file.find()) {
      Path path = directory.resolve(file.group(1));
      Files.createDirectories(path.getParent());
      Files.writeString(path, file.group(2));
      if (file.group(1).endsWith(".java")) {
        sources.add(path.toString());
      }
    }
    return sources;
  }

  private void compile(List<String> sources) {
    List<String> arguments =
        new ArrayList<>(List.of("-d", directory.resolve("classes").toString()));
    arguments.addAll(List.of("-cp", classPath(), "-proc:none"));
    arguments.addAll(sources);
    int result =
        ToolProvider.getSystemJavaCompiler()
            .run(null, null, null, arguments.toArray(new String[0]));
    assertThat(result).as("javac").isZero();
  }

  private static List<Command> commands(String document) {
    return CONSOLE
        .matcher(document)
        .results()
        .flatMap(block -> Stream.of(block.group(1).split("(?m)^\\$ ", -1)))
        .filter(command -> !command.isEmpty())
        .map(command -> command.split("\n", 2))
        .map(parts -> new Command(parts[0], parts[1]))
        .toList();
  }

  private String run(String command) throws IOException, InterruptedException {
    Matcher program = PROGRAM.matcher(command);
    List<String> arguments = List.of("sh", "-c", command);
    if (program.matches()) {
      arguments = new ArrayList<>(List.of(java(), "-Xmx512m", "-cp"));
      arguments.add("classes" + File.pathSeparator + classPath());
      arguments.add(program.group(1));
      if (program.group(2) != null) {
        arguments.add(program.group(2));
      }
    }
    Path output = directory.resolve("output");
    Process process =
        new ProcessBuilder(arguments)
            .directory(directory.toFile())
            .redirectOutput(output.toFile())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertThat(process.waitFor(3, TimeUnit.MINUTES)).as(command).isTrue();
    return Files.readString(output, StandardCharsets.UTF_8);
  }

  private static String java() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }

  private static String classPath() {
    return System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
  }

  /**
   * Leaves out what noise, platform and the width of the page decide: accuracies, all but six
   * decimals, the plan's hash, the name of the generator, and the places of line breaks.
   */
  private static String withoutChance(String output) {
    String text = output.replaceAll("\\s+", " ").strip();
    text = text.replaceAll("accuracy on strangers: 0\\.[89]\\d", "accuracy on strangers: good");
    text = text.replaceAll("sha256:[0-9a-f]{64}", "sha256:hash").replaceAll("keyed from \\w+", "");
    return Pattern.compile("(\\.\\d{6})\\d+").matcher(text).replaceAll(TutorialTest::kept);
  }

  private static String kept(MatchResult decimals) {
    return decimals.group(1);
  }
}
