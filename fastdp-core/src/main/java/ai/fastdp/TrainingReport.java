/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.internal.run.ReportWriter;
import ai.fastdp.internal.step.StepStatistics;
import java.nio.file.Path;

/**
 * Asks for a report of a run in JSON Lines: one object a logical step, appended as the step ends.
 *
 * <pre>{@code
 * {"step":12,"public":{"epsilon":0.71,...},"private":{"loss":1.93,"batchSize":97,...}}
 * }</pre>
 *
 * <p>What stands under {@code public} follows from the plan, the number of steps and the
 * optimizer's settings and may be shown to anyone: {@code epsilon} (spent so far, an upper bound),
 * {@code delta}, {@code sampleRate}, {@code noiseMultiplier}, {@code clipNorm}, {@code
 * learningRate}, {@code stepsCharged}. A line of step 0, or of the step of a checkpoint, opens
 * every run with the plan, its hash, the source of noise and the steps that were lost. The last
 * line of a trainer that was closed has the run's privacy statement, {@code statement}.
 *
 * <p>What stands under {@code private} is computed from the samples without noise and must not be
 * published: {@code loss} (mean over the logical batch), {@code batchSize}, {@code
 * nonFiniteSamples}, {@code gradientNorm} (least, mean, largest, and the share above the clip norm,
 * of the samples' gradients before clipping) and {@code millis}. It is left out unless {@link
 * #withPrivateValues()} asks for it. Numbers that are not finite are null.
 */
public final class TrainingReport {
  private final Path file;
  private final boolean privateValues;

  private TrainingReport(Path file, boolean privateValues) {
    this.file = file;
    this.privateValues = privateValues;
  }

  /**
   * A report of public values.
   *
   * @param file where to; appended to if it exists
   * @return the report
   */
  public static TrainingReport to(Path file) {
    return new TrainingReport(file, false);
  }

  /**
   * This report with the values that are not private in the sense of the plan; they cost a copy of
   * losses and norms from the device at every micro-batch.
   *
   * @return the changed report
   */
  public TrainingReport withPrivateValues() {
    return new TrainingReport(file, true);
  }

  Path file() {
    return file;
  }

  /** Opens the file. */
  ReportWriter open() {
    return new ReportWriter(file, privateValues ? new StepStatistics() : null);
  }
}
