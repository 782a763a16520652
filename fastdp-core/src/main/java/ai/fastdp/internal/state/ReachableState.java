/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.state;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.Collection;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What the Java objects hold that are reached from a model's blocks and from its loss: fields,
 * variables that lambdas captured, static fields of the classes that are met, arrays, the JDK's
 * collections, atomic numbers and buffers, and arrays of the engine that are no parameters.
 *
 * <p>Fields of the JDK's classes, of DJL's engine, of loggers and of fastdp are not looked at, nor
 * are files, native memory, and static fields of classes that are not met.
 */
public final class ReachableState {
  private final Supplier<Block> root;
  private final Object loss;
  private final Places places;
  private final KeptArrays arrays;
  private @Nullable Snapshot last;

  /**
   * Looks at a model.
   *
   * @param kernels the kernels
   * @param manager owns the copies of arrays
   * @param root gives the model's block
   * @param loss the model's loss
   * @param lossType the type of losses: fastdp's own may hold a user's
   */
  public ReachableState(
      TorchScriptModule kernels,
      NDManager manager,
      Supplier<Block> root,
      Object loss,
      Class<?> lossType) {
    this.root = root;
    this.loss = loss;
    places = new Places(new Boundary(lossType));
    arrays = new KeptArrays(kernels, manager);
  }

  /**
   * Takes down what all places hold. Costs one comparison where nothing has changed since the last
   * time.
   *
   * @return the state now
   * @throws IllegalStateException if a field is not accessible, or the objects are too many
   */
  public Snapshot take() {
    Snapshot found = last;
    if (found == null || !found.changed().isEmpty()) {
      Block block = root.get();
      Collection<Parameter> watched = block.getParameters().values();
      found = new Walk(places, arrays, watched).from(List.of(block, loss));
      last = found;
    }
    return found;
  }

  /**
   * Takes down what all places hold, and frees the copies that earlier states needed, none of which
   * may be used any more.
   *
   * @return the state now
   */
  public Snapshot begin() {
    Snapshot now = take();
    arrays.forgetAllBut(now.known());
    return now;
  }

  static boolean isArray(@Nullable Object object) {
    return object instanceof PtNDArray;
  }

  static boolean isOpen(NDArray array) {
    return !KeptArrays.isReleased(array);
  }
}
