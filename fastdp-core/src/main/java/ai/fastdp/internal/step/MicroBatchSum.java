/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.step;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.clipping.Clipper;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.hook.LayerRecord;
import ai.fastdp.internal.pass.BookKeeper;
import ai.fastdp.internal.pass.SegmentedBackward;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.mechanism.ClippedGradientSum;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Clips a micro-batch's gradients and adds them to the step's sum, each unit as soon as its last
 * use has come, and releases the unit's activations and output gradients then.
 *
 * <p>A sample whose loss is not a number contributes zero. A sample some of whose groups' norms are
 * not finite contributes zero to those groups' units.
 */
public final class MicroBatchSum implements SegmentedBackward.Sink {
  private final BookKeeper.Pass pass;
  private final TrainableParameters trainable;
  private final ReleaseUnits units;
  private final Clipper clipper;
  private final double clipNorm;
  private final ClippedGradientSum sum;
  private final NDArray valid;
  private final Map<Integer, Unit> open = new HashMap<>();
  // A unit is complete when its first use has been reached.
  private final Map<Integer, Unit> byFirstUse = new HashMap<>();
  // A parameter is complete when its first use has been reached.
  private final IdentityHashMap<Parameter, Integer> firstUses = new IdentityHashMap<>();
  private int lastUse;
  private NDArray finite;
  private @Nullable NDArray unclipped;
  private final NDArray losses;
  private final @Nullable StepStatistics statistics;
  private @Nullable NDArray squaredNorms;

  private static final class Unit {
    private final int number;
    private final NDManager manager;
    private final PerSampleGradients gradients;
    private final List<NDArray> taken = new ArrayList<>();
    private int firstUse;

    Unit(int number, NDManager manager, PerSampleGradients gradients) {
      this.number = number;
      this.manager = manager;
      this.gradients = gradients;
    }

    private void take(NDArray array) {
      array.attach(manager);
      taken.add(array);
    }

    /** Closes the arrays that the settled gradients no longer need. */
    private void settle(Predicate<Parameter> complete) {
      gradients.settle(complete);
      Set<NDArray> needed = gradients.neededArrays();
      taken.stream().filter(array -> !needed.contains(array)).forEach(NDArray::close);
      taken.clear();
    }
  }

  /**
   * @param losses (B), in the pass's graph
   * @param clipNorm what this step clips whole contributions to
   * @param statistics is told losses and norms; null for none
   */
  public MicroBatchSum(
      BookKeeper.Pass pass,
      NDArray losses,
      TrainableParameters trainable,
      ReleaseUnits units,
      Clipper clipper,
      double clipNorm,
      ClippedGradientSum sum,
      @Nullable StepStatistics statistics) {
    this.pass = pass;
    this.losses = losses;
    this.statistics = statistics;
    this.trainable = trainable;
    this.units = units;
    this.clipper = clipper;
    this.clipNorm = clipNorm;
    this.sum = sum;
    NDArray plain = losses.stopGradient();
    // An infinite loss can have a finite gradient, which is clipped like any other.
    valid = plain.isNaN().logicalNot();
    valid.attach(pass.manager());
    finite = valid;
    unclipped = clipper.countsUnclipped() ? valid : null;
    List<LayerRecord> records = pass.records();
    lastUse = records.size();
    for (int i = records.size() - 1; i >= 0; i--) {
      Block block = records.get(i).block();
      open.computeIfAbsent(units.of(block), this::newUnit).firstUse = i;
      for (Parameter parameter : block.getDirectParameters().values()) {
        firstUses.put(parameter, i);
      }
    }
    open.values().forEach(unit -> byFirstUse.put(unit.firstUse, unit));
  }

  private Unit newUnit(int number) {
    NDManager manager = pass.manager().newSubManager();
    return new Unit(number, manager, pass.newGradients(manager));
  }

  @Override
  public void take(LayerRecord use, NDArray outputGradient) {
    Unit unit = Objects.requireNonNull(open.get(units.of(use.block())));
    unit.take(outputGradient);
    NDArray input = use.input();
    if (input != null) {
      unit.take(input);
    }
    pass.contribute(use, outputGradient, unit.gradients);
  }

  @Override
  public void passed(int firstUse) {
    for (int i = lastUse - 1; i >= firstUse; i--) {
      Unit unit = byFirstUse.get(i);
      if (unit != null) {
        release(unit);
        open.remove(unit.number);
      }
    }
    lastUse = firstUse;
    for (Unit unit : open.values()) {
      unit.settle(parameter -> firstUses.getOrDefault(parameter, 0) >= firstUse);
    }
  }

  private void release(Unit unit) {
    PerSampleGradients gradients = unit.gradients;
    List<Parameter> parameters = gradients.parameters();
    if (!parameters.isEmpty()) {
      int[] rows = parameters.stream().mapToInt(trainable::number).toArray();
      requireOwn(unit, rows);
      NDArray squared = gradients.squaredNorms();
      Clipper.Factors clipped = clipper.factors(squared, rows, clipNorm, valid);
      sum.add(gradients, clipped.factors(), clipped.keep());
      finite = kept(finite.logicalAnd(clipped.keep()));
      if (statistics != null) {
        NDArray own = squared.sum(new int[] {0});
        squaredNorms = kept(squaredNorms == null ? own : squaredNorms.add(own));
      }
      NDArray within = clipped.unclipped();
      if (unclipped != null && within != null) {
        unclipped = kept(unclipped.logicalAnd(within));
      }
    }
    unit.manager.close();
  }

  /**
   * Checks that a rule contributes to its own layer's parameters; others would be clipped in parts.
   */
  private void requireOwn(Unit unit, int[] rows) {
    int[] groups = clipper.groups();
    for (int row : rows) {
      if (units.ofGroup(groups[row]) != unit.number) {
        throw new IllegalStateException(
            "a rule must contribute to its layer's own parameters, got a contribution to '"
                + trainable.paths().get(row)
                + "' from another layer; share the parameter between the layers");
      }
    }
  }

  private NDArray kept(NDArray array) {
    array.attach(pass.manager());
    return array;
  }

  /** Counts the samples, once all uses have been given; returns those with something not finite. */
  public long finish() {
    if (statistics != null && squaredNorms != null) {
      statistics.add(losses, squaredNorms, clipNorm);
    }
    if (unclipped != null) {
      sum.count(unclipped);
    }
    return finite.size() - finite.toType(DataType.INT64, false).sum().getLong();
  }
}
