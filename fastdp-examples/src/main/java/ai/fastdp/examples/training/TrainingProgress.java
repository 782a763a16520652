/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import java.util.Arrays;
import java.util.Locale;
import java.util.OptionalDouble;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows how training goes, and remembers how long each step took.
 *
 * <p>The bar shows the time left, the loss, the samples a second and, in private training, the
 * epsilon spent so far. The loss of a batch is computed on the training data without noise: it is
 * for the eyes of the one who trains.
 */
public final class TrainingProgress implements AutoCloseable {

  /** Wide enough for the message on a terminal whose width is not known. */
  private static final int LINE_WIDTH = 120;

  private static final int REFRESH_MILLIS = 500;

  /** Weight of the newest step in the loss and the speed that are shown. */
  private static final double SMOOTHING = 0.1;

  private final ProgressBar bar;
  private final double[] stepMillis;
  private int steps;
  private double loss = Double.NaN;
  private double samplesPerSecond = Double.NaN;

  /**
   * Starts a bar on the error stream.
   *
   * @param name what is going on, shown in front
   * @param steps how many steps there will be
   */
  public TrainingProgress(String name, int steps) {
    stepMillis = new double[steps];
    bar =
        new ProgressBarBuilder()
            .setTaskName(name)
            .setInitialMax(steps)
            .setStyle(ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(REFRESH_MILLIS)
            .setMaxRenderedLength(LINE_WIDTH)
            .setConsumer(new ConsoleProgressBarConsumer(System.err, LINE_WIDTH))
            .build();
  }

  /**
   * Shows steps that an earlier process has dealt with.
   *
   * @param earlier how many
   */
  void goOn(long earlier) {
    bar.stepTo(earlier);
  }

  /**
   * Counts a step.
   *
   * @param millis how long it took
   * @param stepLoss the mean loss of its samples; not a number for a step without samples
   * @param samples how many samples it had
   * @param epsilon the epsilon spent up to now, if training is private
   */
  void step(double millis, double stepLoss, int samples, OptionalDouble epsilon) {
    stepMillis[steps++] = millis;
    loss = smooth(loss, stepLoss);
    samplesPerSecond = smooth(samplesPerSecond, samples / millis * 1000);
    StringBuilder message =
        new StringBuilder(
            String.format(Locale.ROOT, " loss %.3f, %.0f samples/s", loss, samplesPerSecond));
    epsilon.ifPresent(value -> message.append(String.format(Locale.ROOT, ", epsilon %.3f", value)));
    bar.setExtraMessage(message.toString());
    bar.step();
  }

  /** {@return the shortest, the median and the longest step so far} */
  public Summary.StepMillis stepMillis() {
    if (steps == 0) {
      return new Summary.StepMillis(0, 0, 0);
    }
    double[] sorted = Arrays.copyOf(stepMillis, steps);
    Arrays.sort(sorted);
    double median = (sorted[(steps - 1) / 2] + sorted[steps / 2]) / 2;
    return new Summary.StepMillis(sorted[0], median, sorted[steps - 1]);
  }

  /** Stops drawing. */
  @Override
  public void close() {
    bar.close();
  }

  private static double smooth(double old, double value) {
    if (Double.isNaN(value)) {
      return old;
    }
    return Double.isNaN(old) ? value : old + SMOOTHING * (value - old);
  }
}
