/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.internal.kernel.GraphKernels;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The uses of hooked layers in one forward pass.
 *
 * <p>A {@link LayerHook} enters the recording before its layer runs and leaves it afterwards. In
 * between it taps the layer's output, so that the backward pass gives the output's gradient, and
 * adds a {@link LayerRecord} of the output and of the input that the layer's rule needs.
 */
public final class Recording implements AutoCloseable {
  private final Settings settings;
  private final Thread thread = Thread.currentThread();
  private final NDManager manager;
  private final long batchSize;
  private final Set<String> cutPaths;
  private final Runnable onClose;
  private final List<LayerRecord> records = new ArrayList<>();
  private final List<Probe> probes = new ArrayList<>();
  private final List<Cut> cuts = new ArrayList<>();
  private final List<Watched> watched = new ArrayList<>();
  private @Nullable NDArray lastCut;
  private @Nullable LayerHook inside;
  private boolean closed;

  /**
   * The settings that all recordings of a model share.
   *
   * @param kernels the kernels on the graph
   * @param needsInput whether a layer's input must be kept
   * @param axes the layers' sample axes
   */
  record Settings(GraphKernels kernels, Predicate<Block> needsInput, SampleAxes axes) {}

  /**
   * An array whose gradient will be asked for.
   *
   * @param recorded the array, samples first
   * @param onward the array that the model must use from here on for the gradient to be whole
   */
  record Tap(NDArray recorded, NDArray onward) {}

  /**
   * A table in the graph, to find uses that are not look-ups.
   *
   * @param path the path of the layer that owns the table
   * @param parameter the table
   * @param array the array whose gradient must stay undefined
   */
  public record Probe(String path, Parameter parameter, NDArray array) {}

  /** An array that must not be overwritten, with its version when it was recorded. */
  private record Watched(String name, NDArray array, long version) {}

  /**
   * @param manager owns what is recorded
   * @param batchSize the number of rows on the sample axis
   * @param cutPaths the blocks at whose outputs the graph is cut
   * @param onClose runs when the recording ends
   */
  Recording(
      Settings settings,
      NDManager manager,
      long batchSize,
      Set<String> cutPaths,
      Runnable onClose) {
    this.settings = settings;
    this.manager = manager;
    this.batchSize = batchSize;
    this.cutPaths = cutPaths;
    this.onClose = onClose;
  }

  /** {@return the uses so far, in the order in which they ran} */
  public List<LayerRecord> records() {
    return List.copyOf(records);
  }

  /** {@return the tables that must have no gradient, since they are used by look-ups alone} */
  public List<Probe> probes() {
    return List.copyOf(probes);
  }

  /** {@return the cuts so far, in the order in which they were made} */
  public List<Cut> cuts() {
    return List.copyOf(cuts);
  }

  /**
   * Checks that no recorded array has been overwritten since, which would make gradients wrong.
   *
   * @throws IllegalStateException naming the layer whose input or output was modified in place
   */
  public void checkUnmodified() {
    if (watched.isEmpty()) {
      return;
    }
    long[] now = settings.kernels().versions(watched.stream().map(Watched::array).toList());
    for (int i = 0; i < now.length; i++) {
      long modifications = now[i] - watched.get(i).version();
      if (modifications != 0) {
        throw new IllegalStateException(
            watched.get(i).name()
                + " must not be modified in place, got "
                + modifications
                + " modifications; use the operation's copying form in the model");
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    onClose.run();
  }

  // The layer that is running.

  /** Returns whether this thread is the one that is recorded. */
  boolean isOnThisThread() {
    return thread == Thread.currentThread();
  }

  /** Enters a layer; returns the one that it runs in, to {@link #leave} to. */
  @Nullable LayerHook enter(LayerHook hook) {
    LayerHook outer = inside;
    inside = hook;
    return outer;
  }

  /** Leaves a layer for the one that it ran in. */
  void leave(@Nullable LayerHook outer) {
    inside = outer;
  }

  /** The layer that is running now; null outside of all. */
  @Nullable LayerHook inside() {
    requireOpen();
    return inside;
  }

  // The pass and its axes.

  /** The number of rows on the sample axis. */
  long batchSize() {
    return batchSize;
  }

  /** The sample axis that is declared for a layer. */
  SampleAxis axis(LayerHook hook) {
    return settings.axes().of(hook.path());
  }

  /** The sample axis of labels. */
  SampleAxis labelAxis() {
    return settings.axes().labels();
  }

  /**
   * Checks that a block that runs sample by sample has not run in this pass: the graph of a second
   * run would lead back through the first, whose gradients would count twice.
   */
  void requireFirstRun(LayerHook hook) {
    if (records.stream().anyMatch(record -> record.block() == hook.block())) {
      throw new IllegalStateException(
          "block '"
              + hook.path()
              + "' ("
              + hook.block().getClass().getSimpleName()
              + ") named in optSampleBySample must run once in a forward pass, got a second run; name"
              + " the block that runs it twice");
    }
  }

  // Taps, uses, probes and cuts.

  /** Records the use of a whole layer; returns the output that the model must use. */
  NDList addLayer(LayerHook hook, NDList inputs, NDList outputs) {
    if (outputs.size() != 1) {
      throw new IllegalStateException(
          "layer '"
              + hook.path()
              + "' ("
              + hook.block().getClass().getName()
              + ") must have one output, got "
              + outputs.size()
              + "; the gradients of the others would be lost: give each a layer of its own");
    }
    SampleAxis axis = axis(hook);
    Tap tap = tap(hook, outputs.head(), axis);
    addUse(hook, "", inputs.head(), axis, tap);
    return new NDList(tap.onward());
  }

  /** Has the backward pass give the gradient of an array. */
  Tap tap(LayerHook hook, NDArray output, SampleAxis axis) {
    requireOpen();
    hook.requireSamples("output", output, axis, batchSize);
    // The first layer on a path starts the graph, since its own parameters carry no gradient;
    // further along, the output is in the graph already and this changes nothing.
    output.setRequiresGradient(true);
    NDManager owner = output.getManager();
    // A separate array in the graph: its values can be released without those of the output.
    NDArray recorded = settings.kernels().alias(axis.toFirst(output));
    NDArray onward =
        axis.number() == 0 ? recorded.reshape(recorded.getShape()) : axis.fromFirst(recorded);
    recorded.attach(manager);
    onward.attach(owner);
    onward.setName(output.getName());
    return new Tap(recorded, onward);
  }

  /** Records the use of a layer, or of a part of it, that gave a tapped array. */
  void addUse(LayerHook hook, String part, NDArray layerInput, SampleAxis axis, Tap tap) {
    NDArray input = null;
    if (settings.needsInput().test(hook.block())) {
      hook.requireSamples("input", layerInput, axis, batchSize);
      NDArray outside = layerInput.stopGradient();
      outside.attach(manager);
      input = axis.toFirst(outside);
      input.attach(manager);
    }
    watch(hook, input, tap.recorded());
    records.add(new LayerRecord(hook.path(), hook.block(), part, input, tap.recorded(), null));
  }

  /** Records an output of a block that ran sample by sample. */
  NDArray addSamples(LayerHook hook, NDArray output, SampleAxis axis, SampleGraphs samples) {
    Tap tap = tap(hook, output, axis);
    watch(hook, null, tap.recorded());
    records.add(new LayerRecord(hook.path(), hook.block(), "", null, tap.recorded(), samples));
    return tap.onward();
  }

  /** Watches for uses of a table that are not look-ups. */
  NDArray addProbe(LayerHook hook, Parameter parameter, NDArray probe) {
    requireOpen();
    probe.setRequiresGradient(true);
    probes.add(new Probe(hook.path(), parameter, probe));
    return probe;
  }

  /** Hands an array over to the manager of the pass, under which it outlives the model's arrays. */
  void keep(NDArray array) {
    array.attach(manager);
  }

  /** Cuts the graph at a block's output if its path is named and its one output is computed. */
  NDList cut(String path, NDList outputs) {
    if (!cutPaths.contains(path) || outputs.size() != 1 || !isComputed(outputs.head())) {
      return outputs;
    }
    NDArray output = outputs.head();
    if (output == lastCut) {
      // A block's function of data and labels that ran its function of data.
      return outputs;
    }
    NDManager owner = output.getManager();
    NDArray leaf = output.stopGradient();
    leaf.setRequiresGradient(true);
    NDArray view = leaf.reshape(leaf.getShape());
    output.attach(manager);
    leaf.attach(manager);
    view.attach(owner);
    view.setName(output.getName());
    lastCut = view;
    cuts.add(new Cut(path, output, leaf, records.size()));
    return new NDList(view);
  }

  /** Returns whether an array was computed from one that requires a gradient. */
  private static boolean isComputed(NDArray array) {
    return FloatType.isFloat(array)
        && !JniUtils.getGradientFunctionNames((PtNDArray) array).isEmpty();
  }

  private void watch(LayerHook hook, @Nullable NDArray input, NDArray output) {
    List<NDArray> arrays = input == null ? List.of(output) : List.of(input, output);
    long[] versions = settings.kernels().versions(arrays);
    if (input != null) {
      watched.add(new Watched("input of layer '" + hook.path() + "'", input, versions[0]));
    }
    long version = versions[versions.length - 1];
    watched.add(new Watched("output of layer '" + hook.path() + "'", output, version));
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("no forward pass is being recorded");
    }
  }
}
