/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A run that could learn nothing must not look like a success. */
final class NonFiniteRunTest {
  private static final int SAMPLES = 6;

  @ParameterizedTest(name = "{0} of 6 samples are missing values")
  @CsvSource({"0, false", "3, false", "4, true", "6, true"})
  void close_moreThanHalfOfTheSamplesNotFinite_saysSo(int missing, boolean said) throws Exception {
    PrintStream errors = System.err;
    ByteArrayOutputStream log = new ByteArrayOutputStream();
    System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
    try (Model model = SmallRun.model()) {
      try (PrivateTrainer trainer =
          OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), new SquaredError())
              .optSelfCheck(false)
              .build()
              .attach(model, new CapturingOptimizer())) {
        NDManager manager = model.getNDManager();
        SmallRun.trainOn(
            trainer,
            OneStep.dataset(
                new NDList(manager.create(features(missing), new Shape(SAMPLES, 5))),
                new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 3))),
            2);
        assertThat(trainer.nonFiniteSamples()).isEqualTo(2L * missing);
      }
    } finally {
      System.setErr(errors);
    }
    String text = log.toString(StandardCharsets.UTF_8);
    assertThat(text.contains("more than half of the samples")).isEqualTo(said);
    assertThat(text).doesNotContain(String.valueOf(2 * SAMPLES));
  }

  private static float[] features(int missing) {
    float[] values = new float[SAMPLES * 5];
    for (int i = 0; i < values.length; i++) {
      values[i] = i < missing * 5 ? Float.NaN : i % 3 - 1;
    }
    return values;
  }
}
