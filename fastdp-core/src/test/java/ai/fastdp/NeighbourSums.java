/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.clipping.Clipper;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.hook.LayerRecord;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Clipped sums of micro-batches as the engine forms them, and how far apart two of them are that
 * differ in one sample.
 */
final class NeighbourSums {
  /** A use of a layer: an input (B V, ...) and an output gradient (B V, ...) of V views each. */
  record Use(Block layer, NDArray input, NDArray outputGradient) {
    private Use without(int sample, int views) {
      return new Use(layer, rest(input, sample, views), rest(outputGradient, sample, views));
    }

    private Use only(int sample, int views) {
      String rows = sample * views + ":" + (sample + 1) * views;
      return new Use(layer, input.get(rows), outputGradient.get(rows));
    }

    private static NDArray rest(NDArray array, int sample, int views) {
      int all = (int) array.getShape().get(0);
      long[] rows =
          IntStream.range(0, all).filter(i -> i / views != sample).asLongStream().toArray();
      return array.get(array.getManager().create(rows));
    }
  }

  private final TorchScriptModule kernels;
  private final ClippingFunction function;
  private final double clipNorm;
  private final long cells;
  private final int views;
  private final double lossScale;

  NeighbourSums(TorchScriptModule kernels, ClippingFunction function, double clipNorm, long cells) {
    this(kernels, function, clipNorm, cells, 1, 1);
  }

  /** Sums of samples of several views each, whose losses were multiplied by a scale. */
  NeighbourSums(
      TorchScriptModule kernels,
      ClippingFunction function,
      double clipNorm,
      long cells,
      int views,
      double lossScale) {
    this.kernels = kernels;
    this.function = function;
    this.clipNorm = clipNorm;
    this.cells = cells;
    this.views = views;
    this.lossScale = lossScale;
  }

  /** The norm over R of what one sample changes in the sum of all. */
  double influence(NDManager manager, List<Use> uses, int sample) {
    try (NDManager scope = manager.newSubManager()) {
      Map<Parameter, double[]> all = sum(scope, uses);
      List<Use> rest = uses.stream().map(use -> use.without(sample, views)).toList();
      Map<Parameter, double[]> others = sum(scope, rest);
      return distance(all, others) / clipNorm;
    }
  }

  /** The norm over R of what one sample alone adds to a sum of zero. */
  double contribution(NDManager manager, List<Use> uses, int sample) {
    try (NDManager scope = manager.newSubManager()) {
      Map<Parameter, double[]> own =
          sum(scope, uses.stream().map(u -> u.only(sample, views)).toList());
      return BatchOfOneOracle.norm(own.values().toArray(double[][]::new)) / clipNorm;
    }
  }

  static double distance(Map<Parameter, double[]> one, Map<Parameter, double[]> other) {
    double[][] differences =
        one.entrySet().stream()
            .map(
                entry -> {
                  double[] difference = entry.getValue().clone();
                  double[] second = other.get(entry.getKey());
                  for (int j = 0; second != null && j < difference.length; j++) {
                    difference[j] -= second[j];
                  }
                  return difference;
                })
            .toArray(double[][]::new);
    return BatchOfOneOracle.norm(differences);
  }

  private static NDArray copy(NDManager scope, NDArray array) {
    NDArray copy = array.duplicate();
    copy.attach(scope);
    return copy;
  }

  /** The clipped sum of a micro-batch, parameter by parameter. */
  Map<Parameter, double[]> sum(NDManager scope, List<Use> uses) {
    Map<Parameter, double[]> sums = new LinkedHashMap<>();
    long samples = uses.get(0).outputGradient().getShape().get(0) / views;
    if (samples == 0) {
      return sums;
    }
    PerSampleGradients gradients =
        new PerSampleGradients(kernels, scope, samples, views, cells, lossScale);
    for (Use given : uses) {
      // What has been taken is closed.
      Use use =
          new Use(given.layer(), copy(scope, given.input()), copy(scope, given.outputGradient()));
      LayerRecord record = new LayerRecord("layer", use.layer(), use.input(), use.outputGradient());
      GhostRules.standard().contribute(record, use.outputGradient(), gradients);
    }
    List<Parameter> parameters = gradients.parameters();
    int[] rows = IntStream.range(0, parameters.size()).toArray();
    List<String> paths = IntStream.of(rows).mapToObj(k -> "layer/p" + k).toList();
    Clipper clipper = new Clipper(ClippingStyle.allLayer(), function, clipNorm, paths);
    Clipper.Factors clipped =
        clipper.factors(
            gradients.squaredNorms(),
            rows,
            clipNorm,
            scope.ones(new Shape(samples), DataType.BOOLEAN));
    List<NDArray> targets = new ArrayList<>();
    parameters.forEach(p -> targets.add(scope.zeros(p.getShape(), DataType.FLOAT32)));
    gradients.addWeightedSums(clipped.factors(), clipped.keep(), targets);
    for (int k = 0; k < rows.length; k++) {
      sums.put(parameters.get(k), BatchOfOneOracle.widened(targets.get(k).toFloatArray()));
    }
    return sums;
  }
}
