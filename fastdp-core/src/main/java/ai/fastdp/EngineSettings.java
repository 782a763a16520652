/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Device;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.listener.TrainingListener;
import ai.fastdp.accounting.ledger.PrivacyLedger;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.internal.hook.SampleAxes;
import ai.fastdp.internal.pass.Views;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.sampling.SequenceLengths;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.function.LongFunction;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * What an engine was told, checked, apart from its plan. It holds no secret and nothing that a run
 * changes: those belong to a run.
 *
 * @param loss the per-sample loss, averaged over views
 * @param options speed and memory
 * @param selfCheck whether batches are checked before they are trained
 * @param padTo the lengths of sequences; null where the data set's batches are as they are
 * @param lossScale what losses are multiplied by before they are propagated
 * @param views what a sample is
 * @param axes where samples are
 * @param sampleBySample the paths of blocks that run sample by sample
 * @param devices the devices, the model's first; empty for DJL's first
 * @param evaluators evaluators
 * @param listeners listeners
 * @param executor loads batches ahead; null for none
 * @param noise where noise comes from
 * @param sampling the source of randomness of a step's batch
 * @param ledger replaces the engine's own; for tests
 * @param rules the rules of layers
 * @param files the files of runs
 * @param anyDataSize whether data sets may have quite another size than declared
 * @param otherData whether the model may have been trained on another budget
 */
record EngineSettings(
    PerSampleLoss loss,
    PerformanceOptions options,
    boolean selfCheck,
    @Nullable SequenceLengths padTo,
    double lossScale,
    Views views,
    SampleAxes axes,
    List<String> sampleBySample,
    List<Device> devices,
    List<Evaluator> evaluators,
    List<TrainingListener> listeners,
    @Nullable ExecutorService executor,
    NoiseSupply noise,
    LongFunction<? extends RandomGenerator> sampling,
    @Nullable PrivacyLedger ledger,
    GhostRules rules,
    RunFiles files,
    boolean anyDataSize,
    boolean otherData) {

  EngineSettings {
    sampleBySample = List.copyOf(sampleBySample);
    devices = List.copyOf(devices);
    evaluators = List.copyOf(evaluators);
    listeners = List.copyOf(listeners);
    if (views.perSample() > 1) {
      requireViewsAlone(views, axes, sampleBySample);
    }
    if (devices.size() > 1 && !sampleBySample.isEmpty()) {
      throw new IllegalArgumentException(
          "devices must be one where blocks run sample by sample, got "
              + devices.size()
              + " with optSampleBySample"
              + sampleBySample
              + "; leave one of them out");
    }
  }

  private static void requireViewsAlone(Views views, SampleAxes axes, List<String> sampleBySample) {
    if (!sampleBySample.isEmpty()) {
      throw new IllegalArgumentException(
          "viewsPerSample must be 1 where blocks run sample by sample, got "
              + views.perSample()
              + " with optSampleBySample"
              + sampleBySample
              + "; leave one of them out");
    }
    if (axes.data().number() != 0 || axes.labels().number() != 0) {
      throw new IllegalArgumentException(
          "viewsPerSample must be 1 where batches have their samples on another axis than the"
              + " first, got "
              + views.perSample()
              + "; batch the samples on the first axis");
    }
  }
}
