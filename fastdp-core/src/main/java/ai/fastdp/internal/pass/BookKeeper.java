/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.pass;

import ai.djl.Model;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.hook.ForwardRecorder;
import ai.fastdp.internal.hook.HookedModel;
import ai.fastdp.internal.hook.KeptMemory;
import ai.fastdp.internal.hook.LayerRecord;
import ai.fastdp.internal.hook.Recording;
import ai.fastdp.internal.hook.SampleAxes;
import ai.fastdp.internal.hook.TracedParameterStore;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.loss.PerSampleLoss;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * Runs a recorded forward pass and turns its losses into per-sample gradients.
 *
 * <p>One backward pass gives the gradients of all hooked layers' outputs and computes no weight
 * gradient (Bu et al., arXiv 2210.00038, algorithm 1).
 */
public final class BookKeeper {
  private static final double LARGEST_FLOAT16_SCALE = 1 << 15;

  private final Model model;
  private final TorchScriptModule kernels;
  private final ForwardRecorder recorder;
  private final HookedModel hooks;
  private final GhostRules rules;
  private final TrainableParameters trainable;
  private final SampleAxes axes;
  private final Views views;
  private final long cells;
  private final double lossScale;
  private final PassState state;

  public BookKeeper(
      Model model,
      TorchScriptModule kernels,
      ForwardRecorder recorder,
      HookedModel hooks,
      GhostRules rules,
      TrainableParameters trainable,
      SampleAxes axes,
      Views views,
      long cells,
      double lossScale,
      PassState state) {
    this.model = model;
    this.kernels = kernels;
    this.recorder = recorder;
    this.hooks = hooks;
    this.rules = rules;
    this.trainable = trainable;
    this.axes = axes;
    this.views = views;
    this.cells = cells;
    this.lossScale = lossScale;
    this.state = state;
  }

  /** Runs the model's block on a batch. */
  @FunctionalInterface
  public interface Run {
    NDList apply(ParameterStore store, NDList data, NDList labels);
  }

  /**
   * Runs the model under recording.
   *
   * @param parent the manager under which the pass's memory lives until the pass is closed
   * @param data the data, samples on the declared axis and their views, if any, on the one after
   * @param labels the labels
   * @param cutting whether the pass may be trained on: the graph is cut where the recorder says,
   *     and the model gets the batch's own memory; else it gets copies, and what it leaves in Java
   *     objects is put back when the pass is closed
   * @param run runs the model's block
   */
  public Pass forward(NDManager parent, NDList data, NDList labels, boolean cutting, Run run) {
    return forward(parent, data, labels, cutting, Parameters.OWN, run);
  }

  /**
   * How a pass reads the parameters.
   *
   * @param values the array that stands for a parameter
   * @param inGraph whether the graph leads to the arrays, as in ordinary training
   */
  public record Parameters(Function<Parameter, NDArray> values, boolean inGraph) {
    /** The model's own, outside the graph. */
    public static final Parameters OWN = new Parameters(Parameter::getArray, false);
  }

  /**
   * The same with the parameters as a device, or another floating-point type, has them.
   *
   * @param parent on the device
   * @param parameters the arrays of the parameters there
   */
  public Pass forward(
      NDManager parent,
      NDList data,
      NDList labels,
      boolean cutting,
      Parameters parameters,
      Run run) {
    PassState.Trial trial = cutting ? () -> {} : state.trial();
    ParameterWatch watch = new ParameterWatch(kernels, model.getBlock(), parameters.values());
    NDManager manager = new KeptMemory().newSubManager(parent);
    NDManager graph = manager.newSubManager();
    long batchSize = samples(data);
    long rows = batchSize * views.perSample();
    try (Recording recording = recorder.begin(manager, rows, cutting)) {
      ParameterStore store =
          new TracedParameterStore(
              manager,
              recording,
              trainable.asSet(),
              hooks.tables(),
              parameters.values(),
              parameters.inGraph());
      NDList ownData = cutting ? aliases(data, graph) : copies(data, graph);
      NDList ownLabels = cutting ? aliases(labels, graph) : copies(labels, graph);
      NDList outputs = run.apply(store, views.fold(ownData), views.repeat(ownLabels));
      return new Pass(manager, graph, batchSize, recording, watch, outputs, trial);
    } catch (RuntimeException e) {
      manager.close();
      trial.close();
      throw e;
    }
  }

  /** Returns the same arrays under another manager, to which whatever is made of them belongs. */
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

  /** Copies for a pass that is tried out: a model may write into its inputs. */
  private static NDList copies(NDList list, NDManager manager) {
    NDList copies = new NDList();
    for (NDArray array : list) {
      // Under gradients, a copy that leads to an array that asks for its own.
      NDArray copy = FloatType.isFloat(array) ? array.mul(1) : array.duplicate();
      copy.attach(manager);
      copy.setName(array.getName());
      copies.add(copy);
    }
    return copies;
  }

  /** Returns the number of samples in a batch's data. */
  public long samples(NDList data) {
    return data.head().getShape().get(axes.data().number());
  }

  /** Returns the views of which a sample consists. */
  public Views views() {
    return views;
  }

  /** Returns the sample axes of data and labels. */
  public SampleAxes axes() {
    return axes;
  }

  /**
   * Runs the model forward and backward on samples of its own until the graph is whole at all cuts,
   * and drops the cuts that paths go around.
   *
   * @param manager the manager of the passes
   * @param data a few samples
   * @param labels their labels
   * @param loss the loss
   * @param run runs the model's block
   */
  public void settleCuts(
      NDManager manager, NDList data, NDList labels, PerSampleLoss loss, Run run) {
    boolean settled = recorder.cutPaths().isEmpty();
    while (!settled) {
      try (Pass pass = forward(manager, data, labels, true, run)) {
        pass.gradients(loss.evaluate(labels, pass.outputs()));
        settled = true;
      } catch (BypassedCutException e) {
        recorder.dropCuts(e.paths());
      } catch (EngineException e) {
        if (recorder.cutPaths().isEmpty()) {
          throw e;
        }
        // A model that writes into a block's output in place cannot do so to a leaf.
        recorder.dropCuts(recorder.cutPaths());
      }
      settled |= recorder.cutPaths().isEmpty();
    }
  }

  /** Returns the paths of the blocks behind which the graph is cut. */
  public List<String> cutPaths() {
    return recorder.cutPaths();
  }

  /** Losses, or their sum, times the scale: what is propagated. */
  public NDArray scaled(NDArray losses) {
    if (losses.getDataType() == DataType.FLOAT16 && lossScale > LARGEST_FLOAT16_SCALE) {
      throw new IllegalArgumentException(
          "lossScale must be <= "
              + LARGEST_FLOAT16_SCALE
              + " for losses of float16, got "
              + lossScale
              + "; return losses of float32 (see PerSampleLoss)");
    }
    return lossScale == 1 ? losses : losses.mul((float) lossScale);
  }

  /**
   * Returns the loss scale, a power of two, by which gradients of {@link #scaled} losses are too
   * large.
   */
  public double lossScale() {
    return lossScale;
  }

  /** Returns the parameters that are trained. */
  public Set<Parameter> trained() {
    return trainable.asSet();
  }

  public TorchScriptModule kernels() {
    return kernels;
  }

  /** Returns what keeps passes from leaving data in Java objects. */
  public PassState state() {
    return state;
  }

  public Model model() {
    return model;
  }

  /** Returns the user's own block that a block of the model stands for. */
  Block original(Block block) {
    return hooks.original(block);
  }

  /** A recorded forward pass. */
  public final class Pass implements AutoCloseable {
    private final NDManager manager;
    private final NDManager graph;
    private final long batchSize;
    private final Recording recording;
    private final ParameterWatch watch;
    private final NDList outputs;
    private final PassState.Trial trial;

    private Pass(
        NDManager manager,
        NDManager graph,
        long batchSize,
        Recording recording,
        ParameterWatch watch,
        NDList outputs,
        PassState.Trial trial) {
      this.manager = manager;
      this.graph = graph;
      this.batchSize = batchSize;
      this.recording = recording;
      this.watch = watch;
      this.outputs = outputs;
      this.trial = trial;
    }

    public long batchSize() {
      return batchSize;
    }

    /** Returns the watch over the parameters since the pass began. */
    public ParameterWatch watch() {
      return watch;
    }

    public NDList outputs() {
      return outputs;
    }

    public List<LayerRecord> records() {
      return recording.records();
    }

    public List<NDArray> layerOutputs() {
      return records().stream().map(LayerRecord::output).toList();
    }

    /**
     * The memory that the pass takes at most: the arrays of its graph, views as whole arrays, and a
     * gradient for each. Ask before {@link #backward}.
     */
    public long bytes() {
      long bytes = 0;
      for (NDArray array : graph.getManagedArrays()) {
        bytes += array.size() * array.getDataType().getNumOfBytes();
      }
      return 2 * bytes;
    }

    /** Checks that a loss has one number for each sample. */
    public void requirePerSample(NDArray losses) {
      new LossShape(batchSize, "sample").require(losses);
    }

    /**
     * Checks that the pass has changed no parameter, frozen ones included, and nothing recorded.
     * Parameters are for the optimizer alone to change: what a pass writes into one is raw data.
     */
    public void requireUnmodified() {
      watch.requireUnmodified();
      recording.checkUnmodified();
    }

    /** Returns whether everything that can be seen of the pass was computed in float64. */
    public boolean isInFloat64(NDArray losses) {
      return losses.getDataType() == DataType.FLOAT64
          && records().stream().allMatch(use -> use.output().getDataType() == DataType.FLOAT64)
          && graph.getManagedArrays().stream().noneMatch(Pass::mayBeRounded);
    }

    /** Arrays of whole numbers, such as masks, are exact in any type. */
    private static boolean mayBeRounded(NDArray array) {
      if (!FloatType.mayBe(array.getDataType()) || array.size() < 2) {
        return false;
      }
      try (NDArray wide = array.toType(DataType.FLOAT64, true);
          NDArray rest = wide.sub(wide.round());
          NDArray broken = rest.neq(0).logicalAnd(rest.eq(rest))) {
        return broken.any().getBoolean();
      }
    }

    /**
     * Back-propagates the losses; ends the pass's graph.
     *
     * <p>The handles of all arrays that the model made are closed first: what back-propagation
     * still needs lives in the graph, and is freed there as soon as it has been used.
     */
    public void backward(NDArray losses, SegmentedBackward.Sink sink) {
      requirePerSample(losses);
      requireUnmodified();
      losses.attach(manager);
      NDArray scaled = scaled(losses);
      scaled.attach(manager);
      graph.close();
      if (!records().isEmpty()) {
        new SegmentedBackward(kernels, manager, recording).run(scaled, sink);
      }
    }

    /** Returns the per-sample gradients of the losses by all parameters. */
    public PerSampleGradients gradients(NDArray losses) {
      PerSampleGradients gradients = newGradients(manager);
      backward(
          losses,
          new SegmentedBackward.Sink() {
            @Override
            public void take(LayerRecord use, NDArray outputGradient) {
              contribute(use, outputGradient, gradients);
            }

            @Override
            public void passed(int firstUse) {
              // Everything is kept.
            }
          });
      return gradients;
    }

    public NDManager manager() {
      return manager;
    }

    /** Gradients without any contribution, whose memory belongs to a manager of this pass. */
    public PerSampleGradients newGradients(NDManager owner) {
      return new PerSampleGradients(kernels, owner, batchSize, views.perSample(), cells, lossScale);
    }

    public void contribute(LayerRecord use, NDArray outputGradient, PerSampleGradients gradients) {
      rules.contribute(use, outputGradient, gradients);
    }

    @Override
    public void close() {
      manager.close();
      trial.close();
    }
  }
}
