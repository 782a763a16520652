/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.pass.Views;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.sampling.PrivateBatch;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Several views of a sample: one gradient, the mean of theirs, clipped as one. */
@Tag("slow")
final class ViewsTest {
  private static final double TOLERANCE = 1e-5;
  private static final int SAMPLES = 4;
  private static final int VIEWS = 3;

  private final Model model = OneStep.model(Recipe.linear(2));

  @AfterEach
  void close() {
    model.close();
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void run_anyModel_normsAndGradientsEqualThoseOfTheMeanLoss(Recipe recipe) {
    try (Model trained = recipe.model()) {
      NDManager manager = trained.getNDManager();
      NDList data = views(recipe.data(manager, SAMPLES * VIEWS));
      NDList labels = recipe.labels(manager, SAMPLES);
      BatchOfOneOracle oracle = oracle(trained, recipe.loss(), data);
      double[][][] expected = oracle.gradients(data, labels);
      try (EngineProbe probe =
          new EngineProbe(
              trained, recipe.loss(), PerformanceOptions.defaults(), new Views(VIEWS))) {
        EngineProbe.Result actual = probe.run(data, labels);
        List<Parameter> parameters = oracle.parameters();
        assertThat(actual.gradients().keySet()).containsExactlyInAnyOrderElementsOf(parameters);
        for (int i = 0; i < SAMPLES; i++) {
          for (int k = 0; k < parameters.size(); k++) {
            double norm = BatchOfOneOracle.norm(expected[i][k]);
            double squared = actual.squaredNorm(parameters.get(k), i);
            // Raised where it comes from Gram matrices.
            assertThat(Math.sqrt(squared) / norm - 1).isBetween(-TOLERANCE, 1e-4);
            double[] gradient = actual.gradient(parameters.get(k), i);
            assertThat(BatchOfOneOracle.relativeError(gradient, expected[i][k]))
                .isLessThan(TOLERANCE);
          }
        }
      }
    }
  }

  @ParameterizedTest(name = "physical batches of {0} on {1} devices")
  @CsvSource({"1, 1", "3, 1", "100, 1", "3, 2", "100, 3"})
  void step_engineWithSelfCheck_clipsTheMeanOfTheViews(int physical, int devices) throws Exception {
    try (Model trained = Recipe.TRANSFORMER.model()) {
      NDManager manager = trained.getNDManager();
      NDList data = views(Recipe.TRANSFORMER.data(manager, SAMPLES * VIEWS));
      NDList labels = Recipe.TRANSFORMER.labels(manager, SAMPLES);
      BatchOfOneOracle oracle = oracle(trained, Recipe.TRANSFORMER.loss(), data);
      double[][][] gradients = oracle.gradients(data, labels);
      double clipNorm = BatchOfOneOracle.norm(gradients[0]);
      double[][] expected = BatchOfOneOracle.clippedSum(gradients, n -> clipNorm / (n + 0.01));
      CapturingOptimizer optimizer = new CapturingOptimizer();
      try (PrivateTrainer trainer =
          OneStep.engine(OneStep.everySample(SAMPLES, clipNorm).build(), Recipe.TRANSFORMER.loss())
              .optViewsPerSample(VIEWS)
              .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(physical))
              .optDevices(Collections.nCopies(devices, Device.cpu()).toArray(Device[]::new))
              .build()
              .attach(trained, optimizer)) {
        for (PrivateBatch batch : trainer.batches(OneStep.dataset(data, labels))) {
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
          if (optimizer.updates == 1) {
            break;
          }
        }
      }
      double whole = BatchOfOneOracle.norm(expected);
      for (int k = 0; k < expected.length; k++) {
        double[] sum =
            BatchOfOneOracle.widened(
                Objects.requireNonNull(optimizer.gradients.get(oracle.parameters().get(k))));
        for (int j = 0; j < sum.length; j++) {
          sum[j] = sum[j] * SAMPLES - expected[k][j];
        }
        assertThat(BatchOfOneOracle.norm(sum)).isLessThan(TOLERANCE * whole);
      }
    }
  }

  @Test
  void forward_oneView_isTheMeanOfOne() {
    NDList data = new NDList(OneStep.normal(model.getNDManager(), 1, 1, SAMPLES, 1, 5));
    assertThatCode(() -> train(1, new NDList(data.head().squeeze(1)))).doesNotThrowAnyException();
  }

  @Test
  void forward_otherNumberOfViews_isRefused() {
    NDList data = new NDList(OneStep.normal(model.getNDManager(), 1, 1, SAMPLES, VIEWS, 5));
    assertThatThrownBy(() -> train(VIEWS + 1, data))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("4 views", "second axis", "(B, 3, 5)");
  }

  @Test
  void forward_modelThatMixesViewsOfDifferentSamples_isRefused() {
    try (Model mixing =
        OneStep.model(
            new Wiring(
                    (call, x) -> {
                      NDArray h = call.run("a", x);
                      // The first view of a sample with the last one of its neighbour.
                      return h.add(h.get("1:").concat(h.get(":1"), 0));
                    })
                .part("a", Recipe.linear(2), 5))) {
      assertThatThrownBy(
              () ->
                  train(
                      mixing,
                      new SquaredError(),
                      VIEWS,
                      new NDList(OneStep.normal(mixing.getNDManager(), 1, 1, SAMPLES, VIEWS, 5))))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("must not influence each other");
    }
  }

  @Test
  void forward_lossThatAveragesOverTheViews_isRefused() {
    PerSampleLoss mean = (labels, predictions) -> predictions.head().mean().reshape(1);
    assertThatThrownBy(
            () ->
                train(
                    model,
                    mean,
                    VIEWS,
                    new NDList(OneStep.normal(model.getNDManager(), 1, 1, SAMPLES, VIEWS, 5))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("one number for each view");
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(ints = {0, -1})
  void optViewsPerSample_notPositive_isRefused(int views) {
    assertThatThrownBy(
            () ->
                PrivacyEngine.builder(OneStep.everySample(SAMPLES, 1).build())
                    .optViewsPerSample(views)
                    .build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("viewsPerSample must be >= 1, got " + views);
  }

  private void train(int views, NDList data) throws Exception {
    train(model, new SquaredError(), views, data);
  }

  private static void train(Model model, PerSampleLoss loss, int views, NDList data)
      throws Exception {
    NDList labels = new NDList(OneStep.normal(model.getNDManager(), 2, 1, SAMPLES, 2));
    model
        .getBlock()
        .initialize(model.getNDManager(), ai.djl.ndarray.types.DataType.FLOAT32, new Shape(1, 5));
    try (PrivateTrainer trainer =
        OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), loss)
            .optViewsPerSample(views)
            .build()
            .attach(model, new CapturingOptimizer())) {
      PrivateBatch batch = trainer.batches(OneStep.dataset(data, labels)).iterator().next();
      trainer.trainBatch(batch);
      trainer.step();
    }
  }

  /** Views of the same sample next to each other. */
  private static NDList views(NDList rows) {
    NDList folded = new NDList();
    for (NDArray array : rows) {
      folded.add(array.reshape(new Shape(SAMPLES, VIEWS).addAll(array.getShape().slice(1))));
    }
    return folded;
  }

  /** Back-propagation of the mean loss of one sample's views. */
  private static BatchOfOneOracle oracle(Model model, PerSampleLoss loss, NDList data) {
    return new BatchOfOneOracle(
        new Wiring((call, x) -> call.run("model", x.squeeze(0)))
            .part("model", model.getBlock(), data.head().getShape().slice(2).getShape()),
        (labels, predictions) -> {
          NDArray sum = null;
          for (int v = 0; v < VIEWS; v++) {
            NDList view = new NDList(predictions.head().get(v + ":" + (v + 1)));
            NDArray one = loss.evaluate(labels, view);
            sum = sum == null ? one : sum.add(one);
          }
          return Objects.requireNonNull(sum).div(VIEWS);
        });
  }
}
