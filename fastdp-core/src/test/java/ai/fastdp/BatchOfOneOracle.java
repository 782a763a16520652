/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.fastdp.internal.hook.KeptMemory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.DoubleUnaryOperator;

/**
 * Per-sample gradients by DJL's own back-propagation on batches of one, and clipped sums of them
 * added up in float64. Nothing of the engine runs here.
 */
public final class BatchOfOneOracle {
  private final Block block;
  private final BiFunction<NDList, NDList, NDArray> loss;
  private final List<Parameter> parameters = new ArrayList<>();

  /**
   * @param block an initialized block
   * @param loss labels and predictions of one sample to any array whose sum is the sample's loss
   */
  BatchOfOneOracle(Block block, BiFunction<NDList, NDList, NDArray> loss) {
    this.block = block;
    this.loss = loss;
    Set<Parameter> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    for (Parameter parameter : block.getParameters().values()) {
      if (parameter.requiresGradient() && seen.add(parameter)) {
        parameters.add(parameter);
      }
    }
  }

  /** The trainable parameters, each once. */
  List<Parameter> parameters() {
    return parameters;
  }

  /** The gradients of every sample: [sample][parameter][element]. */
  double[][][] gradients(NDList data, NDList labels) {
    int batchSize = Math.toIntExact(data.head().getShape().get(0));
    double[][][] gradients = new double[batchSize][][];
    for (int i = 0; i < batchSize; i++) {
      gradients[i] = gradient(row(data, i), row(labels, i));
    }
    return gradients;
  }

  private double[][] gradient(NDList data, NDList labels) {
    NDManager manager = data.head().getManager();
    for (Parameter parameter : parameters) {
      NDArray array = parameter.getArray();
      array.setRequiresGradient(true);
      if (array.hasGradient()) {
        try (NDArray gradient = array.getGradient()) {
          gradient.subi(gradient.duplicate());
        }
      }
    }
    double[][] gradients = new double[parameters.size()][];
    // DJL frees numbers that the graph still reads; see KeptMemory.
    try (NDManager scope = new KeptMemory().newSubManager(manager);
        GradientCollector collector = manager.getEngine().newGradientCollector()) {
      data.attach(scope);
      labels.attach(scope);
      NDList outputs = block.forward(new ParameterStore(scope, false), data, true);
      collector.backward(loss.apply(labels, outputs).sum());
    }
    for (int k = 0; k < gradients.length; k++) {
      try (NDArray gradient = parameters.get(k).getArray().getGradient()) {
        gradients[k] = gradient.toType(DataType.FLOAT64, false).toDoubleArray();
      }
    }
    return gradients;
  }

  /** Sums of gradients scaled by a function of their whole norm: [parameter][element]. */
  static double[][] clippedSum(double[][][] gradients, DoubleUnaryOperator factorOfNorm) {
    double[][] sum = new double[gradients[0].length][];
    for (int k = 0; k < sum.length; k++) {
      sum[k] = new double[gradients[0][k].length];
    }
    for (double[][] sample : gradients) {
      double factor = factorOfNorm.applyAsDouble(norm(sample));
      for (int k = 0; k < sum.length; k++) {
        for (int j = 0; j < sum[k].length; j++) {
          sum[k][j] += factor * sample[k][j];
        }
      }
    }
    return sum;
  }

  /** The norm of several arrays together. */
  static double norm(double[]... arrays) {
    double square = 0;
    for (double[] array : arrays) {
      for (double value : array) {
        square += value * value;
      }
    }
    return Math.sqrt(square);
  }

  /** The norm of the difference over the norm of what is expected. */
  static double relativeError(double[] actual, double[] expected) {
    double[] difference = new double[expected.length];
    for (int j = 0; j < difference.length; j++) {
      difference[j] = actual[j] - expected[j];
    }
    double size = norm(expected);
    return size == 0 ? norm(difference) : norm(difference) / size;
  }

  static double[] widened(float[] values) {
    double[] wide = new double[values.length];
    for (int j = 0; j < wide.length; j++) {
      wide[j] = values[j];
    }
    return wide;
  }

  public static NDList row(NDList list, int i) {
    NDList one = new NDList();
    list.forEach(array -> one.add(array.get(i + ":" + (i + 1))));
    return one;
  }
}
