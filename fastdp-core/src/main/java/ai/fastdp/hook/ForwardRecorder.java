/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.fastdp.kernel.FloatType;
import ai.fastdp.kernel.GraphKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Collects the {@link LayerRecord}s of one forward pass at a time.
 *
 * <p>A recording belongs to the thread that began it; the model runs unobserved on every other
 * thread, so that inference goes on while a model is being trained.
 */
public final class ForwardRecorder {
  private final TorchScriptModule kernels;
  private final Predicate<Block> needsInput;
  private final SampleAxes axes;
  private final Set<String> cutPaths = new LinkedHashSet<>();
  private volatile @Nullable Recording current;

  /**
   * Creates a recorder.
   *
   * @param kernels the module with the kernel {@code versions}
   * @param needsInput tells for a layer whether its input must be kept
   * @param axes where layers have their samples
   */
  public ForwardRecorder(TorchScriptModule kernels, Predicate<Block> needsInput, SampleAxes axes) {
    this.kernels = kernels;
    this.needsInput = needsInput;
    this.axes = axes;
  }

  /**
   * Begins a recording on this thread.
   *
   * @param manager owns what is recorded
   * @param batchSize the number of samples B in this pass, or of the views of them that go through
   *     the model
   * @param cutting whether the graph is cut at the outputs of {@link #cutPaths()}
   * @return the recording; close it to end it
   * @throws IllegalStateException if one is under way
   */
  public Recording begin(NDManager manager, long batchSize, boolean cutting) {
    if (current != null) {
      throw new IllegalStateException(
          "a forward pass is already being recorded; finish it before the next one");
    }
    Recording recording = new Recording(manager, batchSize, cutting);
    current = recording;
    return recording;
  }

  /**
   * The blocks at whose outputs recorded passes are cut.
   *
   * @return the blocks' paths
   */
  public List<String> cutPaths() {
    return List.copyOf(cutPaths);
  }

  /** Cuts at the outputs of these blocks from now on. */
  void cutAt(Collection<String> paths) {
    cutPaths.addAll(paths);
  }

  /**
   * Cuts no longer at the outputs of these blocks.
   *
   * @param paths the blocks' paths
   */
  public void dropCuts(Collection<String> paths) {
    cutPaths.removeAll(paths);
  }

  NDList cut(String path, NDList outputs) {
    return cutPaths.contains(path) ? recording().cut(path, outputs) : outputs;
  }

  boolean isRecording() {
    Recording recording = current;
    return recording != null && recording.thread == Thread.currentThread();
  }

  /**
   * Checks that a training pass that is not recorded builds no graph: its gradients would be raw.
   * Passes that ask for none, such as another thread's inference, are free.
   *
   * @param path the path of a trainable layer that runs
   * @throws IllegalStateException if the pass builds a graph
   */
  void requireNoGraph(String path) {
    if (JniUtils.isGradMode()) {
      throw new IllegalStateException(
          "layer '"
              + path
              + "' must be trained by the private trainer that is attached to its model, got a"
              + " training pass of another trainer, whose gradients would be neither clipped nor"
              + " noised; train by the private trainer alone, detach() or close() it first, or run"
              + " with training = false");
    }
  }

  /** The module of the kernels. */
  TorchScriptModule kernels() {
    return kernels;
  }

  @Nullable LayerHook enter(LayerHook hook) {
    Recording recording = recording();
    LayerHook outer = recording.inside;
    recording.inside = hook;
    return outer;
  }

  boolean isInside(LayerHook hook) {
    return recording().inside == hook;
  }

  void leave(@Nullable LayerHook outer) {
    recording().inside = outer;
  }

  NDList record(LayerHook hook, NDList inputs, NDList outputs) {
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

  /** The axis of the samples that is declared for a layer. */
  SampleAxis axis(LayerHook hook) {
    return axes.of(hook.path());
  }

  /** The axis of the samples in labels. */
  SampleAxis labelAxis() {
    return axes.labels();
  }

  /**
   * An array whose gradient will be asked for.
   *
   * @param recorded the array, samples first
   * @param onward what the model must go on with for the gradient to be whole
   */
  record Tap(NDArray recorded, NDArray onward) {}

  /** Has the gradient of an array taken in the backward pass. */
  Tap tap(LayerHook hook, NDArray array, SampleAxis axis) {
    return recording().tap(hook, array, axis);
  }

  /** Records the use of a layer, or of a part of it, that gave a tapped array. */
  void addUse(LayerHook hook, String part, NDArray input, SampleAxis axis, Tap tap) {
    recording().add(hook, part, input, axis, tap);
  }

  /**
   * Checks that a block that runs sample by sample has not run in this pass: the graph of a second
   * run would lead back through the first, whose gradients would count twice.
   */
  void requireFirstRun(LayerHook hook) {
    if (recording().records.stream().anyMatch(record -> record.block() == hook.block())) {
      throw new IllegalStateException(
          "block '"
              + hook.path()
              + "' ("
              + hook.block().getClass().getSimpleName()
              + ") named in optMicroBatched must run once in a forward pass, got a second run; name"
              + " the block that runs it twice");
    }
  }

  /** Records an output of a block that ran sample by sample. */
  NDArray addSamples(LayerHook hook, NDArray output, SampleAxis axis, SampleGraphs samples) {
    Recording recording = recording();
    Tap tap = recording.tap(hook, output, axis);
    recording.watch(hook, null, tap.recorded());
    recording.records.add(
        new LayerRecord(hook.path(), hook.block(), "", null, tap.recorded(), samples));
    return tap.onward();
  }

  /** Hands an array over to the manager of the pass, under which it outlives the model's arrays. */
  void keep(NDArray array) {
    array.attach(recording().manager);
  }

  /** The number of samples in the pass. */
  long batchSize() {
    return recording().batchSize;
  }

  /** Whether the block that is running now owns a parameter. */
  boolean isInsideOwner(Parameter parameter) {
    LayerHook hook = recording().inside;
    return hook != null && hook.recorded().owns(hook.block(), parameter);
  }

  /** Whether the block that is running now has its parameters in the graph. */
  boolean differentiatesParameters() {
    LayerHook hook = recording().inside;
    return hook != null && hook.recorded().differentiatesParameters();
  }

  /** The error for a trainable parameter that is read outside the layer that owns it. */
  IllegalStateException strayRead(Parameter parameter) {
    LayerHook hook = recording().inside;
    return new IllegalStateException(
        "parameter '"
            + parameter.getName()
            + "' "
            + parameter.getShape()
            + " must be read inside the layer that owns it, got a read "
            + (hook == null ? "outside every hooked layer" : "in layer '" + hook.path() + "'")
            + "; call the layer's forward function, share an embedding through"
            + " ai.fastdp.nn.TiedLinear, or freeze the parameter");
  }

  /** The error for a trainable parameter that the engine does not train: it would stay as it is. */
  static IllegalStateException unknownTrainable(Parameter parameter) {
    return new IllegalStateException(
        "parameter '"
            + parameter.getName()
            + "' "
            + parameter.getShape()
            + " must have been trainable and in the model's tree of blocks when the engine was"
            + " attached, got a trainable one that was not; add its layer by addChildBlock and"
            + " attach again, or freeze it");
  }

  /** Watches what becomes of a table besides look-ups. */
  NDArray addProbe(LayerHook hook, Parameter parameter, NDArray probe) {
    probe.setRequiresGradient(true);
    recording().probes.add(new Probe(hook.path(), parameter, probe));
    return probe;
  }

  /** Records the look-up of rows (ids in sample order) and returns what the model goes on with. */
  NDArray recordRows(LayerHook hook, NDArray index, NDArray rows) {
    Recording recording = recording();
    long batchSize = recording.batchSize;
    if (axis(hook).number() != 0) {
      // The ids come in flattened; their own shape, which would tell the samples apart, is lost.
      throw new IllegalStateException(
          "sample axis of layer '"
              + hook.path()
              + "' (IdEmbedding) must be 0, got "
              + axis(hook).number()
              + "; give it ids (B, T), declare axis 0 for its path, and transpose what it gives, or"
              + " use an Embedding in its place");
    }
    if (index.getShape().dimension() != 2
        || index.getShape().get(0) != 1
        || index.size() % batchSize != 0) {
      throw sampleAxis(hook, "input", index, SampleAxis.FIRST, batchSize);
    }
    long positions = index.size() / batchSize;
    NDArray ids = index.reshape(batchSize, positions);
    NDArray perSample = rows.reshape(batchSize, positions, rows.getShape().get(1));
    Tap tap = recording.tap(hook, perSample, SampleAxis.FIRST);
    recording.add(hook, "", ids, SampleAxis.FIRST, tap);
    return tap.onward().reshape(rows.getShape());
  }

  /** The error for an array whose samples are not where they are declared to be. */
  static IllegalStateException sampleAxis(
      LayerHook hook, String what, NDArray array, SampleAxis axis, long batchSize) {
    return new IllegalStateException(
        what
            + " of layer '"
            + hook.path()
            + "' ("
            + hook.block().getClass().getSimpleName()
            + ") must have the samples (B) on its "
            + (axis.number() == 0 ? "first axis" : "axis " + axis.number())
            + ", got "
            + axis.describe(array.getShape(), batchSize)
            + "; do not flatten samples into other axes or squeeze them away (squeeze() without an"
            + " axis does in a batch of one), look up positions for every sample (ids of shape (B,"
            + " T)), and declare samples on another axis by PrivacyEngine.Builder.optSampleAxis");
  }

  private Recording recording() {
    Recording recording = current;
    if (recording == null) {
      throw new IllegalStateException("no forward pass is being recorded");
    }
    return recording;
  }

  /**
   * A table in the graph, to find uses that are not look-ups.
   *
   * @param path the path of the layer that owns the table
   * @param parameter the table
   * @param array the array whose gradient must stay undefined
   */
  public record Probe(String path, Parameter parameter, NDArray array) {}

  /** The uses of hooked layers in one forward pass. */
  public final class Recording implements AutoCloseable {
    private final Thread thread = Thread.currentThread();
    private final NDManager manager;
    private final long batchSize;
    private final List<LayerRecord> records = new ArrayList<>();
    private final List<Probe> probes = new ArrayList<>();
    private final List<NDArray> watched = new ArrayList<>();
    private final List<String> watchedNames = new ArrayList<>();
    private final List<Long> versions = new ArrayList<>();
    private final List<Cut> cuts = new ArrayList<>();
    private final boolean cutting;
    private @Nullable NDArray lastCut;
    private @Nullable LayerHook inside;

    private Recording(NDManager manager, long batchSize, boolean cutting) {
      this.manager = manager;
      this.batchSize = batchSize;
      this.cutting = cutting;
    }

    /**
     * The uses so far, in the order in which they ran.
     *
     * @return the records
     */
    public List<LayerRecord> records() {
      return List.copyOf(records);
    }

    /**
     * Tables that must have no gradient: they are used by look-ups alone.
     *
     * @return the probes
     */
    public List<Probe> probes() {
      return List.copyOf(probes);
    }

    /**
     * The cuts so far, in the order in which they were made.
     *
     * @return the cuts
     */
    public List<Cut> cuts() {
      return List.copyOf(cuts);
    }

    /** Cuts the graph at a block's output, where it has one output that is in the graph. */
    private NDList cut(String path, NDList outputs) {
      if (!cutting || outputs.size() != 1 || !isComputed(outputs.head())) {
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

    /** Whether an array was computed from one that requires a gradient. */
    private boolean isComputed(NDArray array) {
      return FloatType.isFloat(array)
          && !JniUtils.getGradientFunctionNames((PtNDArray) array).isEmpty();
    }

    /**
     * Checks that nothing recorded has been overwritten since, which would make gradients wrong.
     *
     * @throws IllegalStateException naming the layer whose input or output was modified in place
     */
    public void checkUnmodified() {
      if (watched.isEmpty()) {
        return;
      }
      long[] now = new GraphKernels(kernels).versions(watched);
      for (int i = 0; i < now.length; i++) {
        if (now[i] != versions.get(i)) {
          throw new IllegalStateException(
              watchedNames.get(i)
                  + " must not be modified in place, got "
                  + (now[i] - versions.get(i))
                  + " modifications; use the operation's copying form in the model");
        }
      }
    }

    private Tap tap(LayerHook hook, NDArray output, SampleAxis axis) {
      requireSampleAxis(hook, "output", output, axis);
      // The first layer on a path starts the graph, since its own parameters carry no gradient;
      // further along, the output is in the graph already and this changes nothing.
      output.setRequiresGradient(true);
      NDManager owner = output.getManager();
      // An array of our own in the graph, so that its values can be released and nothing else's.
      NDArray recorded = new GraphKernels(kernels).alias(axis.toFirst(output));
      NDArray onward =
          axis.number() == 0 ? recorded.reshape(recorded.getShape()) : axis.fromFirst(recorded);
      recorded.attach(manager);
      onward.attach(owner);
      onward.setName(output.getName());
      return new Tap(recorded, onward);
    }

    private void add(LayerHook hook, String part, NDArray layerInput, SampleAxis axis, Tap tap) {
      NDArray input = null;
      if (needsInput.test(hook.block())) {
        requireSampleAxis(hook, "input", layerInput, axis);
        NDArray outside = layerInput.stopGradient();
        outside.attach(manager);
        input = axis.toFirst(outside);
        input.attach(manager);
      }
      watch(hook, input, tap.recorded());
      records.add(new LayerRecord(hook.path(), hook.block(), part, input, tap.recorded(), null));
    }

    private void watch(LayerHook hook, @Nullable NDArray input, NDArray output) {
      int first = watched.size();
      if (input != null) {
        watched.add(input);
        watchedNames.add("input of layer '" + hook.path() + "'");
      }
      watched.add(output);
      watchedNames.add("output of layer '" + hook.path() + "'");
      long[] now = new GraphKernels(kernels).versions(watched.subList(first, watched.size()));
      Arrays.stream(now).forEach(versions::add);
    }

    private void requireSampleAxis(LayerHook hook, String what, NDArray array, SampleAxis axis) {
      if (!axis.holds(array, batchSize)) {
        throw sampleAxis(hook, what, array, axis, batchSize);
      }
    }

    @Override
    public void close() {
      current = null;
    }
  }
}
