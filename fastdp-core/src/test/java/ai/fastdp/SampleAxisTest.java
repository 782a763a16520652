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
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.translate.Batchifier;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.internal.hook.SampleAxes;
import ai.fastdp.internal.hook.SampleAxis;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.plan.PrivacyPlan;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models and batches that have their samples on a declared axis, against samples-first twins. */
@Tag("slow")
final class SampleAxisTest {
  private static final int SAMPLES = 4;
  private static final int STEPS = 6;
  private static final int WIDTH = 5;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  /** Word embedding, norm, recurrent layer, a sum over time and a head on (B, d). */
  private static Wiring model(boolean timeMajor) {
    int time = timeMajor ? 0 : 1;
    return new Wiring(
            (call, ids) -> {
              NDArray h = call.run("norm", call.run("words", ids));
              h = call.run("dense", call.run("recurrent", h)).tanh();
              NDArray last = h.sum(new int[] {time});
              return call.run("head", last).tanh();
            })
        .part("words", Recipe.wordEmbedding(7, WIDTH), STEPS)
        .part("norm", LayerNorm.builder().axis(2).build(), STEPS, WIDTH)
        .part(
            "recurrent",
            LSTM.builder()
                .setStateSize(WIDTH)
                .setNumLayers(2)
                .optBatchFirst(!timeMajor)
                .optBidirectional(true)
                .optHasBiases(false)
                .build(),
            STEPS,
            WIDTH)
        .part("dense", Recipe.linear(3), STEPS, 2 * WIDTH)
        .part("head", Recipe.linear(2), 3);
  }

  @ParameterizedTest(name = "axis {0}")
  @ValueSource(ints = {0, 1, 2, 3})
  void toFirst_anyAxis_keepsTheOthersInOrderAndTurnsBack(int number) {
    SampleAxis axis = new SampleAxis(number);
    NDArray array = manager.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5);
    NDArray moved = axis.toFirst(array);
    long[] shape = {2, 3, 4, 5};
    long[] wanted = new long[4];
    wanted[0] = shape[number];
    for (int i = 0, at = 1; i < 4; i++) {
      if (i != number) {
        wanted[at++] = shape[i];
      }
    }
    assertThat(moved.getShape()).isEqualTo(new Shape(wanted));
    assertThat(axis.fromFirst(moved)).isEqualTo(array);
    assertThat(axis.toFirst(axis.slice(array, 1, 2)).squeeze(0)).isEqualTo(moved.get(1));
  }

  private static PrivacyEngineBuilder timeMajor(PrivacyEngineBuilder engine) {
    return engine.optBatchAxes(1, 0).optSampleAxis(1).optSampleAxis("05head", 0);
  }

  @Test
  void run_timeMajorModel_equalsItsTwin() {
    Wiring first = prepared(model(false));
    Wiring major = prepared(model(true));
    NDArray ids = OneStep.ids(manager, 3, 7, SAMPLES, STEPS);
    NDList labels = new NDList(OneStep.normal(manager, 4, 1, SAMPLES, 2));
    EngineProbe.Result expected;
    try (Model model = OneStep.model(first);
        EngineProbe probe =
            new EngineProbe(model, new SquaredError(), PerformanceOptions.defaults())) {
      expected = probe.run(new NDList(ids), labels);
    }
    SampleAxes axes =
        new SampleAxes(
            new SampleAxis(1),
            SampleAxis.FIRST,
            new SampleAxis(1),
            Map.of("05head", SampleAxis.FIRST));
    try (Model model = OneStep.model(major);
        EngineProbe probe =
            new EngineProbe(model, new SquaredError(), PerformanceOptions.defaults(), true, axes)) {
      EngineProbe.Result actual = probe.run(new NDList(ids.transpose()), labels);
      List<Parameter> parameters = major.getParameters().values();
      List<Parameter> others = first.getParameters().values();
      for (int k = 0; k < parameters.size(); k++) {
        for (int i = 0; i < SAMPLES; i++) {
          double[] wanted = expected.gradient(others.get(k), i);
          assertThat(BatchOfOneOracle.relativeError(actual.gradient(parameters.get(k), i), wanted))
              .as(parameters.get(k).getName())
              .isLessThan(1e-5);
          assertThat(Math.sqrt(actual.squaredNorm(parameters.get(k), i)))
              .isCloseTo(
                  BatchOfOneOracle.norm(wanted),
                  org.assertj.core.data.Offset.offset(1e-4 * BatchOfOneOracle.norm(wanted)));
        }
      }
    }
  }

  @ParameterizedTest(name = "{0} samples at a time")
  @ValueSource(ints = {1, 3, 64})
  void step_timeMajorBatches_clippedSumEqualsItsTwins(int physical) {
    Wiring first = prepared(model(false));
    Wiring major = prepared(model(true));
    NDArray ids = OneStep.ids(manager, 3, 7, SAMPLES, STEPS);
    NDArray labels = OneStep.normal(manager, 4, 1, SAMPLES, 2);
    BatchOfOneOracle oracle = new BatchOfOneOracle(first, new SquaredError()::evaluate);
    double[][][] gradients = oracle.gradients(new NDList(ids), new NDList(labels));
    double clipNorm =
        Arrays.stream(gradients).mapToDouble(BatchOfOneOracle::norm).sorted().toArray()[2];
    double[][] expected = BatchOfOneOracle.clippedSum(gradients, n -> Math.min(1, clipNorm / n));
    try (Model model = OneStep.model(major)) {
      IdentityHashMap<Parameter, double[]> actual =
          OneStep.firstStep(
              model,
              timeMajorDataset(ids, labels),
              SAMPLES,
              timeMajor(engine(clipNorm))
                  .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(physical)));
      List<Parameter> parameters = major.getParameters().values();
      for (int k = 0; k < expected.length; k++) {
        assertThat(
                BatchOfOneOracle.relativeError(
                    Objects.requireNonNull(actual.get(parameters.get(k))), expected[k]))
            .as(parameters.get(k).getName())
            .isLessThan(2e-5);
      }
    }
  }

  @Test
  void step_timeMajorOutputsAndLabels_equalTheirTwins() {
    // Scores (T, B, C) and labels (T, B), by the loss of samples-first arrays.
    NDArray ids = OneStep.ids(manager, 3, 7, SAMPLES, STEPS);
    NDArray classes = OneStep.ids(manager, 4, 3, SAMPLES, STEPS);
    Wiring first = prepared(tagger());
    Wiring major = prepared(tagger());
    IdentityHashMap<Parameter, double[]> expected;
    IdentityHashMap<Parameter, double[]> actual;
    try (Model one = OneStep.model(first);
        Model other = OneStep.model(major)) {
      PrivacyPlan plan = OneStep.everySample(SAMPLES, 0.1).build();
      expected =
          OneStep.firstStep(
              one,
              new NDList(ids),
              new NDList(classes),
              OneStep.engine(plan, PerSampleLoss.sequenceCrossEntropy()));
      ArrayDataset dataset =
          new ArrayDataset.Builder()
              .setData(ids)
              .optLabels(classes)
              .optDataBatchifier(new TimeMajor())
              .optLabelBatchifier(new TimeMajor())
              .setSampling(1, false)
              .build();
      actual =
          OneStep.firstStep(
              other,
              dataset,
              SAMPLES,
              OneStep.engine(
                      plan, PerSampleLoss.onSampleAxes(1, 1, PerSampleLoss.sequenceCrossEntropy()))
                  .optBatchAxes(1, 1)
                  .optSampleAxis(1));
    }
    List<Parameter> parameters = major.getParameters().values();
    for (int k = 0; k < parameters.size(); k++) {
      double[] wanted = Objects.requireNonNull(expected.get(first.getParameters().valueAt(k)));
      assertThat(
              BatchOfOneOracle.relativeError(
                  Objects.requireNonNull(actual.get(parameters.get(k))), wanted))
          .isLessThan(1e-5);
    }
  }

  private static Wiring tagger() {
    return new Wiring((call, ids) -> call.run("dense", call.run("words", ids).tanh()))
        .part("words", Recipe.wordEmbedding(7, WIDTH), STEPS)
        .part("dense", Recipe.linear(3), STEPS, WIDTH);
  }

  @Test
  void run_sampleBySampleOnTheSecondAxis_equalsItsTwin() {
    NDArray data = OneStep.normal(manager, 3, 1, SAMPLES, STEPS, WIDTH);
    NDList labels = new NDList(OneStep.normal(manager, 4, 1, SAMPLES, 3));
    Wiring first = prepared(scripted(1));
    Wiring major = prepared(scripted(0));
    EngineProbe.Result expected;
    try (Model model = OneStep.model(first);
        EngineProbe probe =
            new EngineProbe(
                model,
                new SquaredError(),
                PerformanceOptions.defaults(),
                true,
                SampleAxes.first(),
                "01script")) {
      expected = probe.run(new NDList(data), labels);
    }
    SampleAxes axes =
        new SampleAxes(new SampleAxis(1), SampleAxis.FIRST, new SampleAxis(1), Map.of());
    try (Model model = OneStep.model(major);
        EngineProbe probe =
            new EngineProbe(
                model, new SquaredError(), PerformanceOptions.defaults(), true, axes, "01script")) {
      EngineProbe.Result actual = probe.run(new NDList(data.transpose(1, 0, 2)), labels);
      for (int i = 0; i < SAMPLES; i++) {
        double[] wanted = expected.gradient(first.getParameters().valueAt(0), i);
        assertThat(
                BatchOfOneOracle.relativeError(
                    actual.gradient(major.getParameters().valueAt(0), i), wanted))
            .isLessThan(1e-5);
      }
    }
  }

  private Wiring scripted(int time) {
    return new Wiring((call, x) -> call.run("script", x).sum(new int[] {time}))
        .part("script", ScriptedModule.dense(WIDTH, 3).load(manager, 1), STEPS, WIDTH);
  }

  // ---------------------------------------------------------------- refused

  @Test
  void run_layerElsewhereThanDeclared_isRefusedWithItsName() {
    // The head works on (B, d).
    assertRefused(
        engine(1).optBatchAxes(1, 0).optSampleAxis(1),
        "layer '05head' (Linear)",
        "samples (B) on its axis 1",
        "(?, ?) without the B samples");
    assertRefused(
        engine(1).optBatchAxes(1, 0),
        "layer '01words' (TrainableWordEmbedding)",
        "samples (B) on its first axis",
        "(?, ?, ?) without the B samples",
        "optSampleAxis");
    assertRefused(
        timeMajor(engine(1)).optSampleAxis("04dense", 2), "layer '04dense' (Linear)", "axis 2");
  }

  @Test
  void batches_elsewhereThanDeclared_areRefusedWithTheirShape() {
    assertRefused(
        timeMajor(engine(1)).optBatchAxes(0, 0),
        "data must have",
        "first axis",
        "(?, ?) without the B samples on axis 0",
        "optBatchAxes");
    assertRefused(
        timeMajor(engine(1)).optBatchAxes(1, 1), "labels must have", "axis 1", "on axis 1");
    assertRefused(
        timeMajor(engine(1)).optBatchAxes(2, 0),
        "data must have",
        "axis 2",
        "(?, ?) without the B samples");
  }

  @Test
  void attach_axisOfAnUnknownPath_isRefused() {
    assertRefused(timeMajor(engine(1)).optSampleAxis("head", 0), "'head'", "05head");
  }

  @Test
  void optSampleAxis_negative_isRefused() {
    assertThatThrownBy(() -> engine(1).optSampleAxis(-1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("sample axis must be >= 0", "-1");
  }

  @Test
  void run_idEmbeddingOnAnotherAxis_isRefused() {
    Wiring wiring =
        new Wiring((call, ids) -> call.run("words", ids).sum(new int[] {0}))
            .part("words", Recipe.idEmbedding(7, 2), STEPS);
    assertRefused(
        wiring,
        engine(1).optBatchAxes(1, 0).optSampleAxis(1),
        "'01words' (IdEmbedding) must be 0",
        "transpose");
  }

  @Test
  void step_samplesMixedOnTheDeclaredAxis_isRefused() {
    Wiring wiring =
        new Wiring(
                (call, ids) -> {
                  NDArray h = call.run("words", ids);
                  return h.sub(h.mean(new int[] {1}, true)).sum(new int[] {0});
                })
            .part("words", Recipe.wordEmbedding(7, 2), STEPS);
    assertRefused(
        wiring, engine(1).optBatchAxes(1, 0).optSampleAxis(1), "influence", "layer '01words'");
  }

  private void assertRefused(PrivacyEngineBuilder engine, String... parts) {
    assertRefused(model(true), engine, parts);
  }

  private void assertRefused(Wiring wiring, PrivacyEngineBuilder engine, String... parts) {
    prepared(wiring);
    NDArray ids = OneStep.ids(manager, 3, 7, SAMPLES, STEPS);
    NDArray labels = OneStep.normal(manager, 4, 1, SAMPLES, 2);
    try (Model model = OneStep.model(wiring)) {
      assertThatThrownBy(
              () -> OneStep.firstStep(model, timeMajorDataset(ids, labels), SAMPLES, engine))
          .isInstanceOf(RuntimeException.class)
          .hasMessageContainingAll(parts);
    }
  }

  private static PrivacyEngineBuilder engine(double clipNorm) {
    return OneStep.engine(
        OneStep.everySample(SAMPLES, clipNorm).optClipping(ClippingFunction.abadi()).build(),
        new SquaredError());
  }

  private Wiring prepared(Wiring wiring) {
    wiring.initialize(manager, DataType.FLOAT32, new Shape(1, STEPS));
    RecurrentTest.randomize((Block) wiring, new Random(5), 0.5f);
    return wiring;
  }

  private static ArrayDataset timeMajorDataset(NDArray ids, NDArray labels) {
    return new ArrayDataset.Builder()
        .setData(ids)
        .optLabels(labels)
        .optDataBatchifier(new TimeMajor())
        .setSampling(1, false)
        .build();
  }

  /** Stacks samples on the second axis. */
  private static final class TimeMajor implements Batchifier {
    private static final long serialVersionUID = 1L;

    @Override
    public NDList batchify(NDList[] inputs) {
      NDList batch = new NDList();
      for (int k = 0; k < inputs[0].size(); k++) {
        NDList column = new NDList();
        for (NDList input : inputs) {
          column.add(input.get(k));
        }
        batch.add(NDArrays.stack(column, 1));
      }
      return batch;
    }

    @Override
    public NDList[] unbatchify(NDList inputs) {
      throw new UnsupportedOperationException();
    }

    @Override
    public NDList[] split(NDList list, int numOfSlices, boolean evenSplit) {
      throw new UnsupportedOperationException();
    }
  }
}
