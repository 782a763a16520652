/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.quickstart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The quickstart programs, run as a user runs them. */
@Tag("slow")
class QuickstartTest {
  private static final Pattern NUMBER = Pattern.compile("-?\\d+\\.\\d+");

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  Path directory;

  @Test
  void tableClassifier_learnsAndStatesItsPrivacy() throws Exception {
    String printed = outputOf(TableClassifier::main);
    // Guessing is right in 0.5 of 1,000 cases, with a standard deviation of 0.016.
    assertThat(firstNumber(printed)).isGreaterThan(0.65);
    assertThat(printed).contains("person").contains("epsilon");
  }

  @Test
  void interruptedFineTuning_runAgain_continuesWithinOneBudget() throws Exception {
    String[] sevenSteps = {directory.toString(), "7"};
    String[] theRest = {directory.toString()};
    assertThat(outputOf(args -> InterruptedFineTuning.main(sevenSteps)))
        .startsWith("7 of 30 steps");
    String end = outputOf(args -> InterruptedFineTuning.main(theRest));
    assertThat(end).startsWith("30 of 30 steps");
    assertThat(firstNumber(end)).isBetween(1.9, 2.0);
    assertThatThrownBy(() -> InterruptedFineTuning.main(theRest))
        .isInstanceOf(PrivacyBudgetExceededException.class);
  }

  @Test
  void ownLayer_trains_byItsRule() throws Exception {
    String printed = outputOf(OwnLayer::main);
    Matcher weights = NUMBER.matcher(printed);
    assertThat(weights.find()).isTrue();
    // All weights begin at 1, and only the first column tells the label.
    assertThat(Math.abs(Double.parseDouble(weights.group()))).isGreaterThan(1.1);
  }

  @FunctionalInterface
  private interface Program {
    void run(String[] args) throws Exception;
  }

  private static String outputOf(Program program) throws Exception {
    PrintStream before = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
      program.run(new String[0]);
    } finally {
      System.setOut(before);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  private static double firstNumber(String printed) {
    Matcher number = NUMBER.matcher(printed);
    assertThat(number.find()).as(printed).isTrue();
    return Double.parseDouble(number.group());
  }
}
