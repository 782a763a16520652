/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.initializer.NormalInitializer;
import ai.djl.training.tracker.Tracker;
import ai.fastdp.mechanism.NoiselessGradient;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.function.Supplier;

/** Parameters, gradients and every optimizer in each of its forms. */
final class Fixture {
  static final double DEVIATION = 0.7;

  private static final List<Shape> SHAPES =
      List.of(new Shape(3, 4), new Shape(5), new Shape(1), new Shape(2, 3, 2));
  private static final List<Parameter.Type> TYPES =
      List.of(
          Parameter.Type.WEIGHT, Parameter.Type.BIAS, Parameter.Type.GAMMA, Parameter.Type.WEIGHT);

  private Fixture() {}

  /** Falls with every update, and counts from 1. */
  static Tracker falling() {
    return Tracker.factor().setBaseValue(0.05f).setFactor(0.97f).optMaxUpdates(1000).build();
  }

  /** Every optimizer in each form that remembers other things, with a rate that falls. */
  static Map<String, Supplier<DpOptimizer>> all() {
    Map<String, Supplier<DpOptimizer>> all = new LinkedHashMap<>();
    all.put("sgd", () -> DpSgd.builder().setLearningRateTracker(falling()).build());
    all.put(
        "momentum",
        () -> DpSgd.builder().setLearningRateTracker(falling()).optMomentum(0.9f).build());
    all.put(
        "nesterov",
        () ->
            DpSgd.builder()
                .setLearningRateTracker(falling())
                .optMomentum(0.9f)
                .optNesterov(true)
                .build());
    all.put("adam", () -> DpAdam.builder().optLearningRateTracker(falling()).build());
    all.put(
        "adam, noise correction",
        () ->
            DpAdam.builder()
                .optLearningRateTracker(falling())
                .optNoiseCorrection(1e-4f)
                .optWeightDecay(0.05f)
                .build());
    all.put("adamw", () -> DpAdamW.builder().optLearningRateTracker(falling()).build());
    all.put(
        "adamw, noise correction",
        () ->
            DpAdamW.builder().optLearningRateTracker(falling()).optNoiseCorrection(1e-4f).build());
    all.put("lamb", () -> DpLamb.builder().optLearningRateTracker(falling()).build());
    all.put("adagrad", () -> DpAdagrad.builder().optLearningRateTracker(falling()).build());
    for (boolean centered : new boolean[] {false, true}) {
      for (float momentum : new float[] {0, 0.8f}) {
        all.put(
            "rmsprop, centered " + centered + ", momentum " + momentum,
            () ->
                DpRmsprop.builder()
                    .optLearningRateTracker(falling())
                    .optCentered(centered)
                    .optMomentum(momentum)
                    .build());
      }
    }
    return all;
  }

  static Supplier<DpOptimizer> form(String name) {
    return Objects.requireNonNull(all().get(name), name);
  }

  static List<Parameter> parameters(NDManager manager) {
    return parameters(manager, Precision.FLOAT32);
  }

  static List<Parameter> parameters(NDManager manager, Precision type) {
    List<Parameter> parameters = new ArrayList<>();
    for (int k = 0; k < SHAPES.size(); k++) {
      parameters.add(parameter(manager, "p" + k, TYPES.get(k), SHAPES.get(k), type));
    }
    return parameters;
  }

  static Parameter parameter(
      NDManager manager, String name, Parameter.Type type, Shape shape, Precision precision) {
    Parameter parameter =
        Parameter.builder()
            .setName(name)
            .setType(type)
            .optShape(shape)
            .optInitializer(new NormalInitializer(0.5f))
            .build();
    parameter.initialize(manager, DataType.FLOAT32);
    if (precision == Precision.FLOAT32) {
      return parameter;
    }
    Parameter cast = Parameter.builder().setName(name).setType(type).build();
    cast.setArray(precision.of(parameter.getArray()));
    return cast;
  }

  /** Parameters of the same types with the values of others. */
  static List<Parameter> copies(NDManager manager, List<Parameter> parameters) {
    List<Parameter> copies = new ArrayList<>();
    for (Parameter parameter : parameters) {
      Parameter copy =
          Parameter.builder().setName(parameter.getName()).setType(parameter.getType()).build();
      NDArray array = parameter.getArray().duplicate();
      array.attach(manager);
      copy.setArray(array);
      copies.add(copy);
    }
    return copies;
  }

  static List<NDArray> arrays(NDManager manager, Random random, List<Parameter> parameters) {
    List<NDArray> gradients = new ArrayList<>();
    for (Parameter parameter : parameters) {
      float[] values = new float[(int) parameter.getShape().size()];
      for (int j = 0; j < values.length; j++) {
        values[j] = (float) random.nextGaussian();
      }
      gradients.add(manager.create(values, parameter.getShape()));
    }
    return gradients;
  }

  static PrivatizedGradient gradient(NDManager manager, Random random, List<Parameter> parameters) {
    return NoiselessGradient.withNoise(parameters, arrays(manager, random, parameters), DEVIATION);
  }

  /** The values of all parameters, as float32 whatever their type. */
  static List<float[]> values(List<Parameter> parameters) {
    return parameters.stream().map(p -> Precision.FLOAT32.of(p.getArray()).toFloatArray()).toList();
  }
}
