/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import ai.fastdp.clipping.Clipper;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.hook.ForwardRecorder;
import ai.fastdp.internal.hook.HookedModel;
import ai.fastdp.internal.hook.LayerRecord;
import ai.fastdp.internal.hook.SampleAxes;
import ai.fastdp.internal.kernel.BookKeepingKernels;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.PassState;
import ai.fastdp.internal.pass.SegmentedBackward;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.internal.pass.Views;
import ai.fastdp.internal.state.ReachableState;
import ai.fastdp.internal.step.MicroBatchSum;
import ai.fastdp.internal.step.ReleaseUnits;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.mechanism.ClippedGradientSum;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;

/** The engine's book-keeping on one batch, opened so that norms and sums can be looked at. */
final class EngineProbe implements AutoCloseable {
  private final Model model;
  private final NDManager manager;
  private final HookedModel hooks;
  private final BookKeeper bookKeeper;
  private final PerSampleLoss loss;
  private final ForwardRecorder recorder;
  private final boolean cutting;
  private final TrainableParameters trainable;

  EngineProbe(Model model, PerSampleLoss loss, PerformanceOptions options) {
    this(model, loss, options, false);
  }

  /**
   * @param cutting whether the graph is cut wherever it can be
   */
  EngineProbe(Model model, PerSampleLoss loss, PerformanceOptions options, boolean cutting) {
    this(model, loss, options, cutting, GhostRules.standard(), new Views(1), 1, SampleAxes.first());
  }

  EngineProbe(Model model, PerSampleLoss loss, PerformanceOptions options, GhostRules rules) {
    this(model, loss, options, false, rules, new Views(1), 1, SampleAxes.first());
  }

  EngineProbe(Model model, PerSampleLoss loss, PerformanceOptions options, Views views) {
    this(model, loss, options, false, GhostRules.standard(), views, 1, SampleAxes.first());
  }

  /** With losses that are multiplied before they are propagated. */
  EngineProbe(Model model, PerSampleLoss loss, double lossScale) {
    this(
        model,
        loss,
        PerformanceOptions.defaults(),
        false,
        GhostRules.standard(),
        new Views(1),
        lossScale,
        SampleAxes.first());
  }

  EngineProbe(
      Model model,
      PerSampleLoss loss,
      PerformanceOptions options,
      boolean cutting,
      SampleAxes axes,
      String... sampleBySample) {
    this(
        model,
        loss,
        options,
        cutting,
        GhostRules.standard(),
        new Views(1),
        1,
        axes,
        sampleBySample);
  }

  private EngineProbe(
      Model model,
      PerSampleLoss loss,
      PerformanceOptions options,
      boolean cutting,
      GhostRules rules,
      Views views,
      double lossScale,
      SampleAxes axes,
      String... sampleBySample) {
    this.model = model;
    this.loss = views.mean(loss);
    this.cutting = cutting;
    manager = model.getNDManager().newSubManager();
    trainable = new TrainableParameters(model.getBlock(), rules, List.of(sampleBySample));
    TorchScriptModule kernels = BookKeepingKernels.compile(manager);
    trainable.requireReady(kernels);
    recorder = new ForwardRecorder(kernels, rules::needInput, axes);
    hooks = HookedModel.attach(model, trainable.layers(), trainable.sampleBySample(), recorder);
    bookKeeper =
        new BookKeeper(
            model,
            kernels,
            recorder,
            hooks,
            rules,
            trainable,
            axes,
            views,
            options.temporaryCells(),
            lossScale,
            new PassState(
                new ReachableState(
                    kernels, manager, model::getBlock, this.loss, PerSampleLoss.class)));
    if (cutting) {
      hooks.hookCuts(recorder);
    }
  }

  /** The blocks at whose outputs passes are cut. */
  List<String> cutPaths() {
    return recorder.cutPaths();
  }

  /** Drops the cuts that paths go around. */
  @SuppressWarnings("try") // The collector switches gradients on while it is open.
  void settleCuts(NDList data, NDList labels) {
    try (NDManager scope = manager.newSubManager();
        GradientCollector ignored = manager.getEngine().newGradientCollector()) {
      bookKeeper.settleCuts(
          scope, data, labels, loss, (store, d, l) -> model.getBlock().forward(store, d, l, null));
    }
  }

  /**
   * @param squaredNorms for each parameter the squared norms of the samples' gradients
   * @param gradients for each parameter the samples' gradients, one after the other
   * @param recordedInputs how many layers had to keep their input
   */
  record Result(
      IdentityHashMap<Parameter, double[]> squaredNorms,
      IdentityHashMap<Parameter, double[][]> gradients,
      long recordedInputs) {

    double squaredNorm(Parameter parameter, int sample) {
      return Objects.requireNonNull(squaredNorms.get(parameter))[sample];
    }

    double[] gradient(Parameter parameter, int sample) {
      return Objects.requireNonNull(gradients.get(parameter))[sample];
    }

    /** The norm of a sample's whole gradient. */
    double norm(int sample) {
      return Math.sqrt(squaredNorms.values().stream().mapToDouble(n -> n[sample]).sum());
    }
  }

  private BookKeeper.Pass forward(NDManager scope, NDList data, NDList labels) {
    return bookKeeper.forward(
        scope, data, labels, cutting, (store, d, l) -> model.getBlock().forward(store, d, l, null));
  }

  /** Runs forward and backward once, and reads every sample's gradient by a sum of it alone. */
  @SuppressWarnings("try") // The collector switches gradients on while it is open.
  Result run(NDList data, NDList labels) {
    int batchSize = Math.toIntExact(bookKeeper.samples(data));
    try (NDManager scope = manager.newSubManager();
        GradientCollector ignored = manager.getEngine().newGradientCollector()) {
      BookKeeper.Pass pass = forward(scope, data, labels);
      PerSampleGradients gradients = pass.gradients(loss.evaluate(labels, pass.outputs()));
      NDArray squared = gradients.squaredNorms();
      List<Parameter> parameters = gradients.parameters();
      double[] flat = squared.toDoubleArray();
      IdentityHashMap<Parameter, double[]> norms = new IdentityHashMap<>();
      IdentityHashMap<Parameter, double[][]> values = new IdentityHashMap<>();
      for (int k = 0; k < parameters.size(); k++) {
        double[] row = new double[batchSize];
        System.arraycopy(flat, k * batchSize, row, 0, batchSize);
        norms.put(parameters.get(k), row);
        values.put(parameters.get(k), new double[batchSize][]);
      }
      NDArray keep = scope.ones(new Shape(batchSize), DataType.BOOLEAN);
      for (int i = 0; i < batchSize; i++) {
        float[] factors = new float[parameters.size() * batchSize];
        for (int k = 0; k < parameters.size(); k++) {
          factors[k * batchSize + i] = 1;
        }
        List<NDArray> targets = new ArrayList<>();
        parameters.forEach(p -> targets.add(scope.zeros(p.getShape(), DataType.FLOAT32)));
        gradients.addWeightedSums(
            scope.create(factors, new Shape(parameters.size(), batchSize)), keep, targets);
        for (int k = 0; k < parameters.size(); k++) {
          Objects.requireNonNull(values.get(parameters.get(k)))[i] =
              BatchOfOneOracle.widened(targets.get(k).toFloatArray());
        }
      }
      long inputs = pass.records().stream().map(LayerRecord::input).filter(a -> a != null).count();
      return new Result(norms, values, inputs);
    }
  }

  /** Which layers' inputs or outputs are still held after each segment, by path. */
  @SuppressWarnings("try") // The collector switches gradients on while it is open.
  List<Set<String>> held(ClippingStyle style, NDList data, NDList labels) {
    Clipper clipper = new Clipper(style, ClippingFunction.abadi(), 1, trainable.paths());
    ReleaseUnits units = new ReleaseUnits(trainable, clipper.groups());
    List<Set<String>> held = new ArrayList<>();
    try (NDManager scope = manager.newSubManager();
        ClippedGradientSum sum =
            new ClippedGradientSum(bookKeeper.kernels(), scope, trainable.parameters());
        GradientCollector ignored = manager.getEngine().newGradientCollector()) {
      BookKeeper.Pass pass = forward(scope, data, labels);
      NDArray losses = loss.evaluate(labels, pass.outputs());
      MicroBatchSum clipped =
          new MicroBatchSum(pass, losses, trainable, units, clipper, 1, sum, null);
      pass.backward(
          losses,
          new SegmentedBackward.Sink() {
            @Override
            public void take(LayerRecord use, NDArray outputGradient) {
              clipped.take(use, outputGradient);
            }

            @Override
            public void passed(int firstUse) {
              clipped.passed(firstUse);
              Set<String> paths = new TreeSet<>();
              for (LayerRecord use : pass.records()) {
                NDArray input = use.input();
                if ((input != null && !((PtNDArray) input).isReleased())
                    || !((PtNDArray) use.output()).isReleased()) {
                  paths.add(use.path());
                }
              }
              held.add(paths);
            }
          });
      assertThat(clipped.finish()).isZero();
    }
    return held;
  }

  /** How many elements PyTorch has in the layers' outputs while their gradients come. */
  @SuppressWarnings("try") // The collector switches gradients on while it is open.
  List<Long> elementsOfOutputsInBackward(NDList data, NDList labels) {
    List<Long> elements = new ArrayList<>();
    try (NDManager scope = manager.newSubManager();
        GradientCollector ignored = manager.getEngine().newGradientCollector()) {
      BookKeeper.Pass pass = forward(scope, data, labels);
      pass.backward(
          loss.evaluate(labels, pass.outputs()),
          new SegmentedBackward.Sink() {
            @Override
            public void take(LayerRecord use, NDArray outputGradient) {
              for (LayerRecord later : pass.records()) {
                PtNDArray output = (PtNDArray) later.output();
                if (!output.isReleased()) {
                  elements.add(JniUtils.getShape(output).size());
                }
              }
            }

            @Override
            public void passed(int firstUse) {
              // Uses alone are looked at.
            }
          });
    }
    return elements;
  }

  @Override
  public void close() {
    hooks.detach();
    manager.close();
  }
}
