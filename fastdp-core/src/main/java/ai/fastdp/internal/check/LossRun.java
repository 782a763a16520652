/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import ai.fastdp.internal.hook.SampleAxis;
import ai.fastdp.internal.kernel.GraphKernels;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.PassState;
import ai.fastdp.internal.pass.Views;
import ai.fastdp.loss.PerSampleLoss;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/** The losses of batches that are tried out, without a graph. */
final class LossRun {
  private final BookKeeper bookKeeper;
  private final PerSampleLoss loss;

  LossRun(BookKeeper bookKeeper, PerSampleLoss loss) {
    this.bookKeeper = bookKeeper;
    this.loss = loss;
  }

  /** In which of its modes the model runs. */
  enum Mode {
    /** As in training. */
    TRAINING,
    /** Without dropout. */
    INFERENCE;

    NDList run(Block block, ParameterStore store, NDList data, NDList labels) {
      return this == TRAINING
          ? block.forward(store, data, labels, null)
          : block.forward(store, data, false, null);
    }
  }

  /** The losses of a batch. */
  static final class Losses {
    private final double[] values;
    private final boolean wide;

    private Losses(double[] values, boolean wide) {
      this.values = values;
      this.wide = wide;
    }

    /** One for each sample; not to be changed. */
    double[] values() {
      return values;
    }

    /** Whether everything that can be seen was computed in float64. */
    boolean isWide() {
      return wide;
    }
  }

  /** The losses of a batch whose pass is recorded, as those that are trained on are. */
  Losses recorded(NDManager parent, NDList data, NDList labels, Mode mode, Arithmetic type) {
    return withoutGraph(
        parent,
        manager -> {
          NDList ownData = fresh(type.of(data, manager), manager);
          NDList ownLabels = fresh(type.of(labels, manager), manager);
          try (BookKeeper.Pass pass =
              bookKeeper.forward(
                  manager,
                  ownData,
                  ownLabels,
                  false,
                  type.parameters(),
                  (store, d, l) -> mode.run(block(), store, d, l))) {
            NDArray losses = loss.evaluate(ownLabels, pass.outputs());
            pass.requirePerSample(losses);
            pass.requireUnmodified();
            return new Losses(numbers(losses), type.isWide() && pass.isInFloat64(losses));
          }
        });
  }

  /** The losses of a batch whose pass is an ordinary one of DJL in training mode. */
  @SuppressWarnings("try") // What passes leave is put back when the trial is closed.
  double[] ordinary(NDManager parent, NDList data, NDList labels, Arithmetic type) {
    Views views = bookKeeper.views();
    return withoutGraph(
        parent,
        manager -> {
          try (PassState.Trial ignored = bookKeeper.state().trial()) {
            NDList ownData = fresh(type.of(data, manager), manager);
            NDList ownLabels = fresh(type.of(labels, manager), manager);
            ParameterStore store = new Values(manager, type.parameters().values());
            NDList outputs =
                Mode.TRAINING.run(block(), store, views.fold(ownData), views.repeat(ownLabels));
            return numbers(loss.evaluate(type.of(labels, manager), outputs));
          }
        });
  }

  /** Some of the samples of data or labels, under a manager. */
  NDList take(NDList list, SampleAxis axis, long[] rows, NDManager manager) {
    NDList taken = new NDList();
    NDManager cpu = manager.newSubManager(Device.cpu());
    for (NDArray array : list) {
      NDArray number = cpu.create((long) axis.number());
      NDArray index = cpu.create(rows).toDevice(array.getDevice(), false);
      NDArray some = new GraphKernels(bookKeeper.kernels()).take(array, number, index);
      some.attach(manager);
      some.setName(array.getName());
      taken.add(some);
    }
    return taken;
  }

  /** Some of the samples of a batch's data. */
  NDList takeData(NDList data, long[] rows, NDManager manager) {
    return take(data, bookKeeper.axes().data(), rows, manager);
  }

  /** Some of the samples of a batch's labels. */
  NDList takeLabels(NDList labels, long[] rows, NDManager manager) {
    return take(labels, bookKeeper.axes().labels(), rows, manager);
  }

  static double[] numbers(NDArray losses) {
    try (NDArray wide = losses.toType(DataType.FLOAT64, true)) {
      return wide.toDoubleArray();
    }
  }

  private Block block() {
    return bookKeeper.model().getBlock();
  }

  /** Copies, which a model may change in place, under a manager. */
  NDList fresh(NDList list, NDManager manager) {
    NDList copies = new NDList();
    for (NDArray array : list) {
      NDArray alias = array.stopGradient();
      NDArray copy = alias.duplicate();
      copy.attach(manager);
      alias.close();
      copy.setName(array.getName());
      copies.add(copy);
    }
    return copies;
  }

  private static <T> T withoutGraph(NDManager parent, Function<NDManager, T> work) {
    boolean before = JniUtils.isGradMode();
    JniUtils.setGradMode(false);
    try (NDManager manager = parent.newSubManager()) {
      return work.apply(manager);
    } finally {
      JniUtils.setGradMode(before);
    }
  }

  /** The result of a run that the model may not be made for; null where it fails. */
  static <T> Optional<T> attempt(Supplier<T> run) {
    try {
      return Optional.of(run.get());
    } catch (RuntimeException e) {
      return Optional.empty();
    }
  }

  /** Hands out the parameters of an arithmetic. */
  private static final class Values extends ParameterStore {
    private final NDManager manager;
    private final Function<Parameter, NDArray> values;

    Values(NDManager manager, Function<Parameter, NDArray> values) {
      super(manager, false);
      this.manager = manager;
      this.values = values;
    }

    @Override
    @SuppressWarnings("NullAway") // DJL's layers ask for the value of a parameter they do not have.
    public NDArray getValue(Parameter parameter, Device device, boolean training) {
      if (parameter == null) {
        return null;
      }
      NDArray alias = values.apply(parameter).stopGradient();
      alias.attach(manager);
      alias.setName(parameter.getName());
      return alias;
    }
  }
}
