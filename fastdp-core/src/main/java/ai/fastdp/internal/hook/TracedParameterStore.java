/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.training.ParameterStore;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Hands the model aliases of its parameters that take no part in the graph.
 *
 * <p>Autograd then stores nothing for weight gradients and computes none: the clipped sums are
 * formed from the hooks' records. A trainable parameter that is read outside the layer that owns it
 * would escape its clip, so such a read is an error. A block that runs sample by sample has its
 * parameters in the graph.
 */
public final class TracedParameterStore extends ParameterStore {
  private final NDManager manager;
  private final Recording recording;
  private final Set<Parameter> trainable;
  private final Map<Parameter, LayerHook> tables;
  private final Function<Parameter, NDArray> values;
  private final boolean inGraph;
  private final IdentityHashMap<Parameter, NDArray> aliases = new IdentityHashMap<>();

  /**
   * Creates a store for one forward pass.
   *
   * @param manager owns the aliases
   * @param recording the recording of the pass
   * @param trainable the parameters that are being trained, by identity
   * @param tables the tables that record their own look-ups, by identity
   * @param values the array of a parameter on the device of the pass
   * @param inGraph whether the graph leads to the parameters all the same, to compare with ordinary
   *     back-propagation
   */
  public TracedParameterStore(
      NDManager manager,
      Recording recording,
      Set<Parameter> trainable,
      Map<Parameter, LayerHook> tables,
      Function<Parameter, NDArray> values,
      boolean inGraph) {
    super(manager, false);
    this.manager = manager;
    this.recording = recording;
    this.trainable = trainable;
    this.tables = tables;
    this.values = values;
    this.inGraph = inGraph;
  }

  @Override
  @SuppressWarnings("NullAway") // DJL's layers ask for the value of a parameter they do not have.
  public NDArray getValue(Parameter parameter, Device device, boolean training) {
    if (parameter == null) {
      return null;
    }
    NDArray alias = aliases.get(parameter);
    if (alias == null || alias.isReleased()) {
      alias = inGraph ? inGraph(parameter) : detached(parameter);
      aliases.put(parameter, alias);
    }
    if (!trainable.contains(parameter)) {
      if (parameter.requiresGradient()) {
        throw unknownTrainable(parameter);
      }
      return alias;
    }
    LayerHook hook = recording.inside();
    if (hook != null && hook.owns(parameter)) {
      return hook.recorded().differentiatesParameters() ? inGraph(parameter) : alias;
    }
    LayerHook table = tables.get(parameter);
    if (table == null) {
      throw strayRead(parameter, hook);
    }
    NDArray probe = recording.addProbe(table, parameter, detached(parameter));
    NDArray traced = new TracedTable((PtNDArray) probe, (PtNDArray) alias, table, recording);
    traced.setName(parameter.getName());
    return traced;
  }

  /** The parameter itself, in the graph, under the manager of the pass. */
  private NDArray inGraph(Parameter parameter) {
    NDArray array = values.apply(parameter);
    NDArray view = array.reshape(array.getShape());
    view.attach(manager);
    view.setName(parameter.getName());
    return view;
  }

  private NDArray detached(Parameter parameter) {
    NDArray alias = values.apply(parameter).stopGradient();
    alias.attach(manager);
    alias.setName(parameter.getName());
    return alias;
  }

  /** The error for a trainable parameter that is read outside the layer that owns it. */
  private static IllegalStateException strayRead(Parameter parameter, @Nullable LayerHook hook) {
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
  private static IllegalStateException unknownTrainable(Parameter parameter) {
    return new IllegalStateException(
        "parameter '"
            + parameter.getName()
            + "' "
            + parameter.getShape()
            + " must have been trainable and in the model's tree of blocks when the engine was"
            + " attached, got a trainable one that was not; add its layer by addChildBlock and"
            + " attach again, or freeze it");
  }
}
