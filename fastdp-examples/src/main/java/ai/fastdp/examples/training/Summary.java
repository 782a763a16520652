/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.fastdp.plan.PrivacyPlan;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is written to {@code summary.json}: the guarantee, and how training went.
 *
 * <p>The fields of the guarantee are null after training without privacy. The losses are means over
 * the held-out samples, in nats.
 *
 * @param epsilon the epsilon spent, an upper bound
 * @param delta the delta it holds at
 * @param noiseMultiplier standard deviation of the noise in units of the sensitivity
 * @param clipNorm bound on the contribution of one sample
 * @param sampleRate probability of each sample to be in a batch
 * @param steps number of updates that the weights have taken
 * @param stepsCharged number of updates that epsilon pays for: more, by those that were lost when a
 *     run was killed
 * @param lossBefore held-out loss before fine-tuning
 * @param lossAfter held-out loss after fine-tuning
 * @param accuracyBefore held-out accuracy before fine-tuning; null where there are no classes
 * @param accuracyAfter held-out accuracy after fine-tuning; null where there are no classes
 * @param stepMillis duration of the steps of fine-tuning
 * @param peakMemoryBytes largest resident set of the process
 * @param versions of what the result depends on
 * @param assumptions what the guarantee rests on and what it does not cover, in words
 */
public record Summary(
    @Nullable Double epsilon,
    @Nullable Double delta,
    @Nullable Double noiseMultiplier,
    @Nullable Double clipNorm,
    @Nullable Double sampleRate,
    long steps,
    @Nullable Long stepsCharged,
    double lossBefore,
    double lossAfter,
    @Nullable Double accuracyBefore,
    @Nullable Double accuracyAfter,
    StepMillis stepMillis,
    long peakMemoryBytes,
    Map<String, String> versions,
    List<String> assumptions) {

  private static final String FILE_NAME = "summary.json";

  /** Puts a summary together; without a guarantee, training was not private. */
  static Summary of(
      @Nullable Guarantee guarantee,
      long steps,
      Score before,
      Score after,
      StepMillis stepMillis,
      long peakMemoryBytes,
      Map<String, String> versions) {
    PrivacyPlan plan = guarantee == null ? null : guarantee.plan();
    return new Summary(
        guarantee == null ? null : guarantee.epsilon(),
        plan == null ? null : plan.budget().delta(),
        plan == null ? null : plan.noiseMultiplier(),
        plan == null ? null : plan.clipNorm(),
        plan == null ? null : plan.sampleRate(),
        steps,
        guarantee == null ? null : guarantee.stepsCharged(),
        before.loss(),
        after.loss(),
        before.accuracy(),
        after.accuracy(),
        stepMillis,
        peakMemoryBytes,
        versions,
        guarantee == null ? List.of() : guarantee.assumptions());
  }

  /**
   * Writes the summary as {@code summary.json}.
   *
   * @param directory an existing directory
   * @return the file
   * @throws IOException if it cannot be written
   */
  Path write(Path directory) throws IOException {
    Gson gson =
        new GsonBuilder()
            .setPrettyPrinting()
            .serializeNulls()
            .serializeSpecialFloatingPointValues()
            .disableHtmlEscaping()
            .create();
    return Files.writeString(directory.resolve(FILE_NAME), gson.toJson(this) + "\n");
  }

  /**
   * Durations of steps in milliseconds.
   *
   * @param min the shortest
   * @param median the median
   * @param max the longest
   */
  public record StepMillis(double min, double median, double max) {}
}
