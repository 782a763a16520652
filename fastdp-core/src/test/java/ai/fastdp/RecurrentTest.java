/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.recurrent.GRU;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.nn.recurrent.RNN;
import ai.djl.nn.recurrent.RecurrentBlock;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.Supplier;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Recurrent layers against back-propagation on batches of one through DJL's fused kernels. */
@Tag("slow")
@net.jqwik.api.Tag("slow") // for properties
final class RecurrentTest {
  private static final double TOLERANCE = 1e-5;

  /** The cells of DJL. */
  enum Cell {
    RNN_TANH,
    RNN_RELU,
    LSTM,
    GRU
  }

  /** What a layer is built with. */
  record Options(
      Cell cell,
      int stateSize,
      int layers,
      boolean bidirectional,
      boolean biases,
      boolean batchFirst,
      float dropRate) {

    /** DJL runs no bidirectional layer with biases. */
    static Options of(
        Cell cell,
        int stateSize,
        int layers,
        boolean bidirectional,
        boolean biases,
        boolean first) {
      return new Options(
          cell, stateSize, layers, bidirectional, biases && !bidirectional, first, 0);
    }

    RecurrentBlock build() {
      return switch (cell) {
        case RNN_TANH -> with(RNN.builder()).setActivation(RNN.Activation.TANH).build();
        case RNN_RELU -> with(RNN.builder()).setActivation(RNN.Activation.RELU).build();
        case LSTM -> with(LSTM.builder()).build();
        case GRU -> with(GRU.builder()).build();
      };
    }

    @SuppressWarnings("unchecked") // DJL's builders return a raw type.
    private <B extends RecurrentBlock.BaseBuilder<B>> B with(B builder) {
      builder.setStateSize(stateSize);
      builder.setNumLayers(layers);
      builder.optBidirectional(bidirectional);
      builder.optHasBiases(biases);
      builder.optBatchFirst(batchFirst);
      builder.optDropRate(dropRate);
      builder.optReturnState(true);
      return builder;
    }
  }

  /** How the layer is used. */
  enum Use {
    /** Zeros for initial states, outputs alone. */
    OUTPUTS,
    /** Zeros for initial states, outputs and last states. */
    STATES,
    /** Initial states computed by a trainable layer, outputs and last states. */
    GIVEN_STATES,
    /** Two runs of the layer, the second from the last states of the first. */
    TWICE
  }

  @Property(tries = 250)
  void run_anyShapes_equalsBatchOfOneThroughTheFusedKernel(
      @ForAll Cell cell,
      @ForAll Use use,
      @ForAll boolean bidirectional,
      @ForAll boolean biases,
      @ForAll boolean batchFirst,
      @ForAll @IntRange(min = 1, max = 3) int layers,
      @ForAll @IntRange(min = 1, max = 5) int samples,
      @ForAll @IntRange(min = 1, max = 9) int steps,
      @ForAll @IntRange(min = 1, max = 6) int inputs,
      @ForAll @IntRange(min = 1, max = 6) int stateSize,
      @ForAll long seed) {
    Options options = Options.of(cell, stateSize, layers, bidirectional, biases, batchFirst);
    requireExact(options, use, samples, steps, inputs, seed);
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void run_manySteps_equalsBatchOfOne(Cell cell) {
    // More steps than the widths make worth a ghost norm, and fewer.
    requireExact(Options.of(cell, 4, 1, false, true, true), Use.OUTPUTS, 4, 40, 3, 1);
    requireExact(Options.of(cell, 24, 1, false, true, true), Use.OUTPUTS, 4, 6, 20, 2);
  }

  private static void requireExact(
      Options options, Use use, int samples, int steps, int inputs, long seed) {
    List<float[]> seen = new ArrayList<>();
    Wiring wiring = wiring(options, use, steps, inputs, seen);
    try (Model model = OneStep.model(wiring)) {
      NDManager manager = model.getNDManager();
      wiring.initialize(manager, DataType.FLOAT32, new Shape(1, steps, inputs));
      randomize(wiring, new Random(seed), 0.5f);
      NDList data = new NDList(OneStep.normal(manager, seed + 1, 1, samples, steps, inputs));
      float[] fused = wiring.forward(store(manager), data, true).head().toFloatArray();
      NDList labels =
          new NDList(OneStep.normal(manager, seed + 2, 1, samples, fused.length / samples));
      BatchOfOneOracle oracle = new BatchOfOneOracle(wiring, new SquaredError()::evaluate);
      double[][][] expected = oracle.gradients(data, labels);
      try (EngineProbe probe =
          new EngineProbe(model, new SquaredError(), PerformanceOptions.defaults())) {
        EngineProbe.Result actual = probe.run(data, labels);
        double[] unrolled = BatchOfOneOracle.widened(seen.get(seen.size() - 1));
        assertThat(BatchOfOneOracle.relativeError(unrolled, BatchOfOneOracle.widened(fused)))
            .as("outputs")
            .isLessThan(2e-6);
        requireEqual(
            options.cell(),
            oracle.parameters(),
            expected,
            () -> inFloat64(options, use, wiring, data, labels),
            actual);
        // Outside a recording it is the fused kernel that runs.
        assertThat(model.getBlock().forward(store(manager), data, true).head().toFloatArray())
            .containsExactly(fused);
      }
    }
  }

  /** The gradients of the same numbers by the same fused kernel in float64. */
  private static double[][][] inFloat64(
      Options options, Use use, Wiring wiring, NDList data, NDList labels) {
    Shape shape = data.head().getShape();
    Wiring wide = wiring(options, use, (int) shape.get(1), (int) shape.get(2), new ArrayList<>());
    try (NDManager manager = data.head().getManager().newSubManager()) {
      wide.initialize(manager, DataType.FLOAT64, new Shape(1, shape.get(1), shape.get(2)));
      for (Pair<String, Parameter> parameter : wiring.getParameters()) {
        NDArray values = parameter.getValue().getArray().toType(DataType.FLOAT64, true);
        values.attach(manager);
        wide.getParameters().get(parameter.getKey()).getArray().set(values.toByteBuffer());
      }
      BatchOfOneOracle oracle = new BatchOfOneOracle(wide, new SquaredError()::evaluate);
      return oracle.gradients(widened(manager, data), widened(manager, labels));
    }
  }

  private static NDList widened(NDManager manager, NDList list) {
    NDList wide = new NDList();
    for (NDArray array : list) {
      NDArray values = array.toType(DataType.FLOAT64, true);
      values.attach(manager);
      wide.add(values);
    }
    return wide;
  }

  /**
   * Requires gradients to be those expected but for the rounding of float32. Where units saturate,
   * or terms cancel, float32 itself keeps fewer digits; how many shows in the distance of the
   * expected gradients to those in float64.
   */
  private static void requireEqual(
      Cell cell,
      List<Parameter> parameters,
      double[][][] expected,
      Supplier<double[][][]> exact,
      EngineProbe.Result actual) {
    assertThat(actual.gradients().keySet()).containsExactlyInAnyOrderElementsOf(parameters);
    for (int i = 0; i < expected.length; i++) {
      double whole = BatchOfOneOracle.norm(expected[i]);
      requireNorm("whole norm", actual.norm(i), whole, TOLERANCE * whole, 1e-3 * whole);
      for (int k = 0; k < parameters.size(); k++) {
        double[] wanted = expected[i][k];
        // Beside larger ones, a parameter's gradient is rounded by float32 on both sides.
        double size = Math.max(BatchOfOneOracle.norm(wanted), 0.1 * whole);
        double error = distance(actual.gradient(parameters.get(k), i), wanted);
        double tolerance = TOLERANCE * size;
        if (error > tolerance) {
          tolerance += 10 * distance(wanted, exact.get()[i][k]);
        }
        Figures.report("relative error of a gradient, " + cell, size == 0 ? 0 : error / size);
        assertThat(error)
            .as("gradient of %s, its norm %s", parameters.get(k).getName(), size)
            .isLessThanOrEqualTo(tolerance);
        requireNorm(
            parameters.get(k).getName(),
            Math.sqrt(actual.squaredNorm(parameters.get(k), i)),
            BatchOfOneOracle.norm(wanted),
            tolerance,
            1e-3 * size);
      }
    }
  }

  private static double distance(double[] a, double[] b) {
    double[] difference = a.clone();
    for (int j = 0; j < difference.length; j++) {
      difference[j] -= b[j];
    }
    return BatchOfOneOracle.norm(difference);
  }

  /** Never too small; larger by the bound on the rounding of a sum whose terms cancel. */
  private static void requireNorm(
      String name, double actual, double expected, double below, double above) {
    assertThat(actual).as(name).isBetween(expected - below, expected + above);
  }

  /** A layer between a linear layer and the loss; its whole output is (B, n). */
  private static Wiring wiring(
      Options options, Use use, int steps, int inputs, List<float[]> seen) {
    int directions = options.layers() * (options.bidirectional() ? 2 : 1);
    int states = options.cell() == Cell.LSTM ? 2 : 1;
    long stateCount = (long) states * directions * options.stateSize();
    Wiring wiring =
        new Wiring(
            (call, x) -> {
              long samples = x.getShape().get(0);
              NDArray h = call.run("in", x);
              NDList given = new NDList(options.batchFirst() ? h : h.transpose(1, 0, 2));
              if (h.getDataType() == DataType.FLOAT64 && use != Use.GIVEN_STATES) {
                // Left out, they would be zeros in float32.
                Shape state = new Shape(directions, samples, options.stateSize());
                for (int s = 0; s < states; s++) {
                  given.add(h.getManager().zeros(state, DataType.FLOAT64));
                }
              }
              if (use == Use.GIVEN_STATES) {
                NDArray all =
                    call.run("state", x.get(":, 0"))
                        .reshape(samples, (long) states * directions, options.stateSize())
                        .transpose(1, 0, 2)
                        .tanh();
                for (int s = 0; s < states; s++) {
                  given.add(all.get(s * directions + ":" + (s + 1) * directions));
                }
              }
              Block layer = call.part("layer");
              NDList out = layer.forward(call.store(), given, call.training());
              if (use == Use.TWICE) {
                NDList again = new NDList(given.head().mul(0.5f));
                again.addAll(out.subNDList(1));
                NDList second = layer.forward(call.store(), again, call.training());
                out = new NDList(out.head().add(second.head()), second.get(1));
              }
              NDList parts = new NDList();
              NDArray first = options.batchFirst() ? out.head() : out.head().transpose(1, 0, 2);
              parts.add(first.reshape(samples, -1));
              if (use != Use.OUTPUTS) {
                out.subNDList(1)
                    .forEach(s -> parts.add(s.transpose(1, 0, 2).reshape(samples, -1).mul(0.7f)));
              }
              // DJL's concatenation of a single array leaves the graph.
              NDArray result = parts.size() == 1 ? parts.head() : NDArrays.concat(parts, 1);
              seen.add(result.toType(DataType.FLOAT32, false).toFloatArray());
              return result;
            });
    wiring.part("in", Recipe.linear(inputs), steps, inputs);
    if (use == Use.GIVEN_STATES) {
      wiring.part("state", Recipe.linear(stateCount), inputs);
    }
    return wiring.part("layer", options.build(), steps, inputs);
  }

  // ---------------------------------------------------------------- dropout

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void run_dropoutOfEverything_equalsTheFusedKernel(Cell cell) {
    // A rate of one leaves nothing to chance.
    requireExact(new Options(cell, 3, 2, false, true, true, 1), Use.OUTPUTS, 3, 4, 3, 5);
    requireExact(new Options(cell, 3, 2, true, false, true, 1), Use.OUTPUTS, 3, 4, 3, 6);
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void run_dropout_gradientIsThatOfTheSameDraw(Cell cell) {
    Options options = new Options(cell, 6, 3, false, true, true, 0.5f);
    List<float[]> seen = new ArrayList<>();
    Wiring wiring = wiring(options, Use.OUTPUTS, 5, 4, seen);
    try (Model model = OneStep.model(wiring)) {
      NDManager manager = model.getNDManager();
      wiring.initialize(manager, DataType.FLOAT32, new Shape(1, 5, 4));
      randomize(wiring, new Random(3), 0.5f);
      NDList data = new NDList(OneStep.normal(manager, 4, 1, 3, 5, 4));
      NDList labels = new NDList(OneStep.normal(manager, 5, 1, 3, 30));
      try (EngineProbe probe =
          new EngineProbe(model, new SquaredError(), PerformanceOptions.defaults())) {
        manager.getEngine().setRandomSeed(7);
        EngineProbe.Result actual = probe.run(data, labels);
        manager.getEngine().setRandomSeed(8);
        probe.run(data, labels);
        assertThat(seen.get(1)).isNotEqualTo(seen.get(0));
        // The loss along the gradient, by differences, under the same draw.
        double slope = 0;
        for (int sign : new int[] {1, -1}) {
          move(actual, sign * 1e-3);
          manager.getEngine().setRandomSeed(7);
          probe.run(data, labels);
          slope += sign * loss(seen.get(seen.size() - 1), labels) / 2e-3;
          move(actual, -sign * 1e-3);
        }
        double square = 0;
        for (double[][] gradient : actual.gradients().values()) {
          square += Math.pow(BatchOfOneOracle.norm(sum(gradient)), 2);
        }
        assertThat(slope / Math.sqrt(square))
            .isCloseTo(1, org.assertj.core.data.Offset.offset(0.01));
      }
    }
  }

  private static double[] sum(double[][] gradients) {
    double[] sum = new double[gradients[0].length];
    for (double[] gradient : gradients) {
      for (int j = 0; j < sum.length; j++) {
        sum[j] += gradient[j];
      }
    }
    return sum;
  }

  /** Moves the parameters along the unit vector of their whole gradient. */
  private static void move(EngineProbe.Result result, double step) {
    double square =
        result.gradients().values().stream()
            .mapToDouble(g -> Math.pow(BatchOfOneOracle.norm(sum(g)), 2))
            .sum();
    result
        .gradients()
        .forEach(
            (parameter, gradients) -> {
              double[] whole = sum(gradients);
              float[] values = parameter.getArray().toFloatArray();
              for (int j = 0; j < values.length; j++) {
                values[j] += (float) (step * whole[j] / Math.sqrt(square));
              }
              parameter.getArray().set(values);
            });
  }

  private static double loss(float[] outputs, NDList labels) {
    float[] wanted = labels.head().toFloatArray();
    double loss = 0;
    for (int j = 0; j < outputs.length; j++) {
      loss += Math.pow((double) outputs[j] - wanted[j], 2);
    }
    return loss / 2;
  }

  @Test
  void run_dropoutInInference_isOff() {
    Options options = new Options(Cell.GRU, 4, 2, false, true, true, 0.5f);
    List<float[]> seen = new ArrayList<>();
    Wiring wiring = wiring(options, Use.OUTPUTS, 5, 4, seen);
    try (Model model = OneStep.model(wiring)) {
      NDManager manager = model.getNDManager();
      wiring.initialize(manager, DataType.FLOAT32, new Shape(1, 5, 4));
      NDList data = new NDList(OneStep.normal(manager, 4, 1, 3, 5, 4));
      NDList labels = new NDList(OneStep.normal(manager, 5, 1, 3, 20));
      // The self-check compares losses and gradients in inference mode.
      assertThat(
              OneStep.firstStep(
                  model,
                  data,
                  labels,
                  OneStep.engine(OneStep.everySample(3, 1).build(), new SquaredError())))
          .isNotEmpty();
    }
  }

  // ---------------------------------------------------------------- frozen parts

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void run_biasesOnly_equalsBatchOfOneAndKeepsNoInputs(Cell cell) {
    requirePartlyFrozen(cell, parameter -> parameter.getType() == Parameter.Type.BIAS, 0);
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void run_oneWeightOnly_equalsBatchOfOne(Cell cell) {
    requirePartlyFrozen(cell, parameter -> parameter.getName().equals("l_1_h2h_WEIGHT"), null);
    requirePartlyFrozen(cell, parameter -> parameter.getName().equals("l_0_i2h_WEIGHT"), null);
  }

  private static void requirePartlyFrozen(
      Cell cell, java.util.function.Predicate<Parameter> trainable, @Nullable Integer inputs) {
    Options options = Options.of(cell, 3, 2, false, true, true);
    Wiring wiring = wiring(options, Use.STATES, 4, 3, new ArrayList<>());
    wiring.freezeParameters(true);
    wiring.get("layer").freezeParameters(false, trainable);
    try (Model model = OneStep.model(wiring)) {
      NDManager manager = model.getNDManager();
      wiring.initialize(manager, DataType.FLOAT32, new Shape(1, 4, 3));
      randomize(wiring, new Random(9), 0.5f);
      NDList data = new NDList(OneStep.normal(manager, 1, 1, 3, 4, 3));
      long width = wiring.forward(store(manager), data, true).head().getShape().get(1);
      NDList labels = new NDList(OneStep.normal(manager, 2, 1, 3, width));
      BatchOfOneOracle oracle = new BatchOfOneOracle(wiring, new SquaredError()::evaluate);
      double[][][] expected = oracle.gradients(data, labels);
      try (EngineProbe probe =
          new EngineProbe(model, new SquaredError(), PerformanceOptions.defaults())) {
        EngineProbe.Result actual = probe.run(data, labels);
        requireEqual(cell, oracle.parameters(), expected, () -> expected, actual);
        if (inputs != null) {
          assertThat(actual.recordedInputs()).isEqualTo((long) inputs);
        }
      }
    }
  }

  // ---------------------------------------------------------------- refusals

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void attach_twoDirectionsWithBiases_isRefused(Cell cell) {
    Options options = new Options(cell, 3, 1, true, true, true, 0);
    Wiring wiring = wiring(options, Use.OUTPUTS, 4, 3, new ArrayList<>());
    try (Model model = OneStep.model(wiring)) {
      assertThatThrownBy(
              () ->
                  PrivacyEngine.of(OneStep.everySample(3, 1).build())
                      .attach(model, new CapturingOptimizer()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("layer '02layer'", "optHasBiases(false)");
    }
  }

  @Test
  void attach_rnnWithoutActivation_isRefused() {
    Wiring wiring =
        new Wiring((call, x) -> call.run("layer", x))
            .part("layer", RNN.builder().setStateSize(3).setNumLayers(1).build(), 4, 3);
    try (Model model = OneStep.model(wiring)) {
      assertThatThrownBy(
              () ->
                  PrivacyEngine.of(OneStep.everySample(3, 1).build())
                      .attach(model, new CapturingOptimizer()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("activation", "builder");
    }
  }

  @Test
  void run_timeMajorLayerOnSamplesFirst_isRefused() {
    Options options = Options.of(Cell.LSTM, 3, 1, false, true, false);
    requireRefusal(
        new Wiring((call, x) -> call.run("layer", x)).part("layer", options.build(), 4, 3),
        new long[] {5, 4, 3},
        "input of layer '01layer' (LSTM)",
        "the samples (B) on its axis 1",
        "(?, ?, ?) without the B samples");
  }

  @Test
  void run_noTimeStep_isRefused() {
    Options options = Options.of(Cell.GRU, 3, 1, false, true, true);
    requireRefusal(
        new Wiring((call, x) -> call.run("layer", x.get(":, 0:0")))
            .part("layer", options.build(), 4, 3),
        new long[] {5, 4, 3},
        "layer '01layer'",
        "at least one time step",
        "(B, 0, 3)");
  }

  @Test
  void run_oneStateForAllSamples_isRefused() {
    Options options = Options.of(Cell.GRU, 3, 1, false, true, true);
    requireRefusal(
        new Wiring(
                (call, x) ->
                    call.part("layer")
                        .forward(
                            call.store(),
                            new NDList(x, x.getManager().zeros(new Shape(1, 1, 3))),
                            call.training())
                        .head())
            .part("layer", options.build(), 4, 3),
        new long[] {5, 4, 3},
        "initial state of layer '01layer'",
        "(1, B, 3)",
        "(?, ?, ?) without the B samples on axis 1");
  }

  private static void requireRefusal(Wiring wiring, long[] shape, String... parts) {
    try (Model model = OneStep.model(wiring)) {
      NDManager manager = model.getNDManager();
      wiring.initialize(manager, DataType.FLOAT32, new Shape(shape));
      NDList data = new NDList(OneStep.normal(manager, 1, 1, shape));
      try (EngineProbe probe =
          new EngineProbe(model, new SquaredError(), PerformanceOptions.defaults())) {
        assertThatThrownBy(() -> probe.run(data, data))
            .isInstanceOf(RuntimeException.class)
            .hasMessageContainingAll(parts);
      }
    }
  }

  // ---------------------------------------------------------------- whole steps

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void step_withSelfCheck_clippedSumEqualsBatchOfOne(Cell cell) {
    Options options = Options.of(cell, 5, 2, true, false, true);
    Wiring wiring = wiring(options, Use.GIVEN_STATES, 6, 4, new ArrayList<>());
    try (Model model = OneStep.model(wiring)) {
      NDManager manager = model.getNDManager();
      wiring.initialize(manager, DataType.FLOAT32, new Shape(1, 6, 4));
      randomize(wiring, new Random(11), 0.5f);
      NDList data = new NDList(OneStep.normal(manager, 1, 1, 5, 6, 4));
      long width = wiring.forward(store(manager), data, true).head().getShape().get(1);
      NDList labels = new NDList(OneStep.normal(manager, 2, 1, 5, width));
      BatchOfOneOracle oracle = new BatchOfOneOracle(wiring, new SquaredError()::evaluate);
      double[][][] gradients = oracle.gradients(data, labels);
      double clipNorm =
          Arrays.stream(gradients).mapToDouble(BatchOfOneOracle::norm).sorted().toArray()[2];
      double[][] expected = BatchOfOneOracle.clippedSum(gradients, n -> Math.min(1, clipNorm / n));
      var actual =
          OneStep.firstStep(
              model,
              data,
              labels,
              OneStep.engine(
                      OneStep.everySample(5, clipNorm)
                          .optClipping(ai.fastdp.clipping.ClippingFunction.abadi())
                          .build(),
                      new SquaredError())
                  .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(2)));
      for (int k = 0; k < expected.length; k++) {
        double[] sum = Objects.requireNonNull(actual.get(oracle.parameters().get(k)));
        assertThat(BatchOfOneOracle.relativeError(sum, expected[k])).isLessThan(5e-5);
      }
    }
  }

  private static ParameterStore store(NDManager manager) {
    return new ParameterStore(manager, false);
  }

  static void randomize(Block block, Random random, float scale) {
    for (Parameter parameter : block.getParameters().values()) {
      float[] values = new float[Math.toIntExact(parameter.getArray().size())];
      for (int j = 0; j < values.length; j++) {
        values[j] = scale * (float) random.nextGaussian();
      }
      parameter.getArray().set(values);
    }
  }
}
