/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.kernel.SumKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The sum of clipped per-sample gradients of one logical step.
 *
 * <p>Micro-batches are added up in float32, and after every 64 of them what has come together goes
 * to a sum in float64, which takes memory in steps of more micro-batches only. A float32 sum of all
 * would lose more of each micro-batch the more samples came before it: its error grows with the
 * square of their number, beyond R for 10,000 additions.
 *
 * <p>It is not private. It can be added to from anywhere and read by the mechanism alone. All
 * parameters share one contiguous array, so that noise is added in one pass over memory.
 */
public final class ClippedGradientSum implements AutoCloseable {
  /** So many additions to a parameter keep the rounding at that of the additions themselves. */
  private static final int MOST_ADDITIONS = 64;

  private final List<Parameter> parameters;
  private final IdentityHashMap<Parameter, NDArray> views = new IdentityHashMap<>();
  private final SumKernels kernels;
  private final NDManager parent;
  private NDManager manager;
  private NDArray flat;
  private final IdentityHashMap<Parameter, Integer> additions = new IdentityHashMap<>();
  // What has been taken from the float32 sum; null until there was need of it.
  private @Nullable NDArray wide;
  private boolean isWide;
  private double centredCount;

  /**
   * Creates a sum of zero.
   *
   * @param kernels the module of the book-keeping kernels
   * @param parent the manager under which the sum's memory lives
   * @param parameters the trainable parameters, each once
   */
  public ClippedGradientSum(
      TorchScriptModule kernels, NDManager parent, List<Parameter> parameters) {
    this.kernels = new SumKernels(kernels);
    this.parent = parent;
    this.parameters = List.copyOf(parameters);
    manager = parent.newSubManager();
    flat = allocate();
  }

  private NDArray allocate() {
    long[] sizes = parameters.stream().mapToLong(p -> p.getShape().size()).toArray();
    NDArray zeros = manager.zeros(new Shape(Arrays.stream(sizes).sum()), DataType.FLOAT32);
    NDList parts = kernels.split(manager, zeros, sizes);
    for (int k = 0; k < sizes.length; k++) {
      Parameter parameter = parameters.get(k);
      views.put(parameter, parts.get(k).reshape(parameter.getShape()));
    }
    return zeros;
  }

  /**
   * Adds \(\sum_i c_i g_i\) of a micro-batch.
   *
   * @param gradients the micro-batch's per-sample gradients
   * @param factors (K, B) float32, the clip factors in the order of the gradients' parameters
   * @param keep (B) boolean, false for samples that must contribute exactly zero
   */
  public void add(PerSampleGradients gradients, NDArray factors, NDArray keep) {
    List<NDArray> targets = new ArrayList<>();
    List<Parameter> added = gradients.parameters();
    added.forEach(parameter -> targets.add(view(parameter)));
    if (added.stream().anyMatch(p -> additions.getOrDefault(p, 0) == MOST_ADDITIONS)) {
      widen();
    }
    added.forEach(parameter -> additions.merge(parameter, 1, Integer::sum));
    gradients.addWeightedSums(factors, keep, targets);
  }

  /** Moves the float32 sum to the float64 sum. */
  private void widen() {
    if (wide == null) {
      wide = manager.zeros(flat.getShape(), DataType.FLOAT64);
    }
    kernels.add(wide, flat);
    kernels.clear(flat);
    additions.clear();
    isWide = true;
  }

  /**
   * Adds \(\sum_i (b_i - \frac12)\) of a micro-batch to the count of the samples that are not
   * clipped.
   *
   * @param unclipped (B) boolean, \(b_i\)
   */
  public void count(NDArray unclipped) {
    long ones = unclipped.toType(DataType.INT64, false).sum().getLong();
    centredCount += ones - unclipped.size() / 2.0;
  }

  /**
   * Adds another device's part of the step's sum, and clears it there.
   *
   * @param other a sum of the same parameters
   */
  public void take(ClippedGradientSum other) {
    if (!parameters.equals(other.parameters)) {
      throw new IllegalArgumentException(
          "sums must be of the same parameters, got "
              + parameters.size()
              + " and "
              + other.parameters.size()
              + " of others; add sums of one engine");
    }
    try (NDManager scope = manager.newSubManager()) {
      NDArray part = other.flat().toDevice(flat.getDevice(), false);
      if (part != other.flat) {
        part.attach(scope);
      }
      kernels.add(flat, part);
    }
    centredCount += other.centredCount;
    other.clear();
  }

  /** Sets the sum and the count back to zero for the next logical step. */
  public void clear() {
    kernels.clear(flat);
    dropWide();
    centredCount = 0;
  }

  /**
   * Goes on with a sum of zero in other memory, so that whoever has kept a view of this memory, as
   * an optimizer may, does not see what is collected next.
   */
  public void renew() {
    NDManager before = manager;
    manager = parent.newSubManager();
    views.clear();
    additions.clear();
    wide = null;
    isWide = false;
    flat = allocate();
    centredCount = 0;
    before.close();
  }

  List<Parameter> parameters() {
    return parameters;
  }

  /** The number of coordinates. */
  long size() {
    return flat.size();
  }

  /** The whole sum, in float32. */
  NDArray flat() {
    if (isWide && wide != null) {
      kernels.add(wide, flat);
      kernels.copyInto(flat, wide);
      dropWide();
    }
    return flat;
  }

  private void dropWide() {
    additions.clear();
    if (isWide && wide != null) {
      kernels.clear(wide);
    }
    isWide = false;
  }

  /** The sum of \(b_i - \frac12\) over the samples of the step. */
  double centredCount() {
    return centredCount;
  }

  NDArray view(Parameter parameter) {
    NDArray view = views.get(parameter);
    if (view == null) {
      throw new IllegalArgumentException(
          "parameter '"
              + parameter.getName()
              + "' must have been trainable when the engine was attached; attach again");
    }
    return view;
  }

  /** A handle of its own on what the sum holds for a parameter. */
  NDArray newView(Parameter parameter) {
    return view(parameter).reshape(parameter.getShape());
  }

  @Override
  public void close() {
    manager.close();
  }
}
