/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import ai.fastdp.ghost.GhostRules;
import ai.fastdp.ghost.PerSampleGradients;
import ai.fastdp.hook.ForwardRecorder;
import ai.fastdp.hook.HookedModel;
import ai.fastdp.hook.LayerRecord;
import ai.fastdp.hook.SampleAxes;
import ai.fastdp.hook.TracedParameterStore;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs a recorded forward pass and turns its losses into per-sample gradients.
 *
 * <p>One backward pass gives the gradients of all hooked layers' outputs and computes no weight
 * gradient (Bu et al., arXiv 2210.00038, algorithm 1).
 */
final class BookKeeper {
  private final Model model;
  private final TorchScriptModule kernels;
  private final ForwardRecorder recorder;
  private final HookedModel hooks;
  private final GhostRules rules;
  private final TrainableParameters trainable;
  private final SampleAxes axes;
  private final Views views;
  private final long cells;

  BookKeeper(
      Model model,
      TorchScriptModule kernels,
      ForwardRecorder recorder,
      HookedModel hooks,
      GhostRules rules,
      TrainableParameters trainable,
      SampleAxes axes,
      Views views,
      long cells) {
    this.model = model;
    this.kernels = kernels;
    this.recorder = recorder;
    this.hooks = hooks;
    this.rules = rules;
    this.trainable = trainable;
    this.axes = axes;
    this.views = views;
    this.cells = cells;
  }

  /** Runs the model's block on a batch. */
  @FunctionalInterface
  interface Run {
    NDList apply(ParameterStore store, NDList data, NDList labels);
  }

  /**
   * Runs the model under recording.
   *
   * @param parent the manager under which the pass's memory lives until the pass is closed
   * @param data the data, samples on the declared axis and their views, if any, on the one after
   * @param labels the labels
   * @param run runs the model's block
   */
  Pass forward(NDManager parent, NDList data, NDList labels, Run run) {
    NDManager manager = parent.newSubManager();
    NDManager graph = manager.newSubManager();
    long batchSize = samples(data);
    long rows = batchSize * views.perSample();
    try (ForwardRecorder.Recording recording = recorder.begin(manager, rows)) {
      ParameterStore store =
          new TracedParameterStore(manager, recorder, trainable.asSet(), hooks.tables());
      NDList outputs =
          run.apply(store, views.fold(aliases(data, graph)), views.repeat(aliases(labels, graph)));
      return new Pass(manager, graph, batchSize, recording, outputs);
    } catch (RuntimeException e) {
      manager.close();
      throw e;
    }
  }

  /** The same arrays under another manager, so that what is made of them belongs to it too. */
  private static NDList aliases(NDList list, NDManager manager) {
    NDList aliases = new NDList();
    for (NDArray array : list) {
      NDArray alias = array.stopGradient();
      alias.attach(manager);
      alias.setName(array.getName());
      aliases.add(alias);
    }
    return aliases;
  }

  /** The number of samples in a batch's data. */
  long samples(NDList data) {
    return data.head().getShape().get(axes.data().number());
  }

  /** What a sample is. */
  Views views() {
    return views;
  }

  /** Where batches have their samples. */
  SampleAxes axes() {
    return axes;
  }

  /** Runs a model outside a pass with a graph in every mode; close it to go back. */
  ForwardRecorder.GraphKeeping keepGraphs() {
    return recorder.keepGraphs();
  }

  TorchScriptModule kernels() {
    return kernels;
  }

  Model model() {
    return model;
  }

  /** A recorded forward pass. */
  final class Pass implements AutoCloseable {
    private final NDManager manager;
    private final NDManager graph;
    private final long batchSize;
    private final ForwardRecorder.Recording recording;
    private final NDList outputs;

    private Pass(
        NDManager manager,
        NDManager graph,
        long batchSize,
        ForwardRecorder.Recording recording,
        NDList outputs) {
      this.manager = manager;
      this.graph = graph;
      this.batchSize = batchSize;
      this.recording = recording;
      this.outputs = outputs;
    }

    long batchSize() {
      return batchSize;
    }

    NDList outputs() {
      return outputs;
    }

    List<LayerRecord> records() {
      return recording.records();
    }

    List<NDArray> layerOutputs() {
      return records().stream().map(LayerRecord::output).toList();
    }

    /** Checks that a loss has one number for each sample. */
    void requirePerSample(NDArray losses) {
      if (losses.getShape().dimension() != 1 || losses.getShape().get(0) != batchSize) {
        throw new IllegalArgumentException(
            "loss must have shape ("
                + batchSize
                + "), one number for each sample, got "
                + losses.getShape()
                + "; do not average over the batch (see PerSampleLoss)");
      }
    }

    /**
     * The per-sample gradients of the losses; ends the pass's graph.
     *
     * <p>The handles of all arrays that the model made are closed first: what back-propagation
     * still needs lives in the graph, and is freed there as soon as it has been used.
     */
    PerSampleGradients gradients(NDArray losses) {
      requirePerSample(losses);
      recording.checkUnmodified();
      losses.attach(manager);
      graph.close();
      PerSampleGradients gradients =
          new PerSampleGradients(kernels, manager, batchSize, views.perSample(), cells);
      List<LayerRecord> records = records();
      if (records.isEmpty()) {
        return gradients;
      }
      List<NDArray> targets = new ArrayList<>(layerOutputs());
      recording.probes().forEach(probe -> targets.add(probe.array()));
      boolean sampleBySample = records.stream().anyMatch(record -> record.samples() != null);
      NDList outputGradients =
          kernels.run(manager, "kept_output_gradients", losses, targets, sampleBySample);
      requireLookUpsOnly(outputGradients, records.size());
      for (int i = 0; i < records.size(); i++) {
        // One without a path to the loss comes back empty; the output itself may be empty too.
        if (outputGradients.get(i).getShape().equals(records.get(i).output().getShape())) {
          rules.contribute(records.get(i), outputGradients.get(i), gradients);
        }
      }
      return gradients;
    }

    @Override
    public void close() {
      manager.close();
    }

    private void requireLookUpsOnly(NDList gradients, int first) {
      List<ForwardRecorder.Probe> probes = recording.probes();
      for (int i = 0; i < probes.size(); i++) {
        if (gradients.get(first + i).size() > 0) {
          throw new IllegalStateException(
              "table '"
                  + probes.get(i).parameter().getName()
                  + "' "
                  + probes.get(i).parameter().getShape()
                  + " of layer '"
                  + probes.get(i).path()
                  + "' must be used by look-ups alone, got another use; share it with a head through"
                  + " ai.fastdp.nn.TiedLinear, or freeze it");
        }
      }
    }

    /** Checks that every trainable parameter takes part in the loss. */
    void requireAllReached(PerSampleGradients gradients) {
      List<String> missing = new ArrayList<>();
      for (int k = 0; k < trainable.parameters().size(); k++) {
        if (!gradients.parameters().contains(trainable.parameters().get(k))) {
          missing.add("'" + trainable.paths().get(k) + "'");
        }
      }
      if (!missing.isEmpty()) {
        throw new IllegalStateException(
            "every trainable parameter must have a path to the loss, got none for "
                + String.join(", ", missing)
                + "; freeze them or use their layers in the forward pass");
      }
    }
  }
}
