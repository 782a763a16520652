/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.run;

import ai.fastdp.TrainingReport;
import ai.fastdp.accounting.statement.PrivacyStatement;
import ai.fastdp.internal.step.StepStatistics;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.StepPlan;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/** Writes the lines of a {@link TrainingReport}. */
public final class ReportWriter implements AutoCloseable {
  private final FileChannel channel;
  private final @Nullable StepStatistics statistics;

  public ReportWriter(Path file, @Nullable StepStatistics statistics) {
    this.statistics = statistics;
    try {
      channel =
          FileChannel.open(
              file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      dropUnfinishedLine();
    } catch (IOException e) {
      throw new UncheckedIOException("report must be writable, got a failure for " + file, e);
    }
  }

  /** Drops the beginning of a line that a killed run may have left. */
  private void dropUnfinishedLine() throws IOException {
    long end = channel.size();
    ByteBuffer last = ByteBuffer.allocate(1);
    while (end > 0) {
      channel.read(last.clear(), end - 1);
      if (last.get(0) == '\n') {
        break;
      }
      end--;
    }
    channel.truncate(end);
    channel.position(end);
  }

  /** Writes the first line of a run, or of the rest of one. */
  public void begin(RunRecord run) {
    JsonObject values = new JsonObject();
    values.addProperty("plan", run.manifest().text());
    values.addProperty("planHash", run.manifest().hash());
    values.addProperty("noise", run.noise().description());
    values.addProperty("stepsCharged", run.charged());
    values.addProperty("stepsLost", run.charged() - run.taken());
    write(run.taken(), values, null);
  }

  /** Writes the line of a step that has ended. */
  void step(RunRecord run, StepPlan step, OptionalDouble learningRate) {
    PrivacyPlan plan = run.plan();
    JsonObject values = new JsonObject();
    add(values, "epsilon", run.spent().upper().orElse(Double.NaN));
    values.addProperty("delta", plan.budget().delta());
    values.addProperty("sampleRate", plan.sampleRate());
    values.addProperty("noiseMultiplier", step.noiseMultiplier());
    values.addProperty("clipNorm", step.contributionBound());
    add(values, "learningRate", learningRate.orElse(Double.NaN));
    values.addProperty("stepsCharged", run.charged());
    write(run.taken(), values, statistics == null ? null : json(statistics.take()));
  }

  /** Writes what the run may claim when it ends. */
  public void end(long steps, PrivacyStatement statement) {
    JsonObject values = new JsonObject();
    values.add("statement", JsonParser.parseString(statement.toJson()));
    write(steps, values, null);
  }

  /** Returns what collects the private values of micro-batches; null where they are left out. */
  public @Nullable StepStatistics statistics() {
    return statistics;
  }

  private static JsonObject json(StepStatistics.Values step) {
    JsonObject norms = new JsonObject();
    add(norms, "least", step.leastNorm());
    add(norms, "mean", step.meanNorm());
    add(norms, "largest", step.largestNorm());
    add(norms, "aboveClipNorm", step.aboveClipNorm());
    JsonObject values = new JsonObject();
    add(values, "loss", step.loss());
    values.addProperty("batchSize", step.batchSize());
    values.addProperty("nonFiniteSamples", step.nonFiniteSamples());
    values.add("gradientNorm", norms);
    add(values, "millis", step.millis());
    return values;
  }

  private static void add(JsonObject object, String name, double value) {
    if (Double.isFinite(value)) {
      object.addProperty(name, value);
    } else {
      object.add(name, JsonNull.INSTANCE);
    }
  }

  private void write(long step, JsonObject values, @Nullable JsonObject privateValues) {
    JsonObject line = new JsonObject();
    line.addProperty("step", step);
    line.add("public", values);
    if (privateValues != null) {
      line.add("private", privateValues);
    }
    ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
    try {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("report must be writable, got a failure", e);
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException("closing the report failed", e);
    }
  }
}
