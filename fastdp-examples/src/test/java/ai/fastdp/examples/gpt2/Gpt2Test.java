/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class Gpt2Test {

  private static final Gpt2Config CONFIG = Gpt2Config.of(13, 8, 16, 2, 2);

  /** Bytes: more than the names and shapes take, less than a table of 500 rows takes. */
  private static final long OVERHEAD = 9_000;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void forward_laterToken_changesNoEarlierLogit() {
    Gpt2 model = model(CONFIG);
    NDArray before = logits(model, new long[][] {{1, 2, 3, 4, 5}});
    NDArray after = logits(model, new long[][] {{1, 2, 3, 9, 5}});
    assertThat(distance(before.get(":, :3"), after.get(":, :3"))).isZero();
    assertThat(distance(before.get(":, 3"), after.get(":, 3"))).isPositive();
    assertThat(distance(before.get(":, 4"), after.get(":, 4"))).isPositive();
  }

  @Test
  void forward_anotherSample_changesNothing() {
    Gpt2 model = model(CONFIG);
    NDArray alone = logits(model, new long[][] {{1, 2, 3}});
    NDArray together = logits(model, new long[][] {{7, 8, 9}, {1, 2, 3}});
    assertThat(distance(alone.get(0), together.get(1))).isLessThan(1e-6f);
  }

  @Test
  void forward_sameTokens_positionsTellThemApart() {
    NDArray logits = logits(model(CONFIG), new long[][] {{4, 4, 4}});
    assertThat(distance(logits.get(":, 0"), logits.get(":, 2"))).isPositive();
  }

  @ParameterizedTest(name = "tied: {0}")
  @ValueSource(booleans = {true, false})
  void parameters_numberOfWeights_isGpt2s(boolean tied) {
    Gpt2 model = model(new Gpt2Config(13, 8, 16, 2, 2, 64, 1e-5f, tied));
    long layer = 2 * 2 * 16 + (16 * 48 + 48) + (16 * 16 + 16) + (16 * 64 + 64) + (64 * 16 + 16);
    long expected = 13 * 16 + 8 * 16 + 2 * layer + 2 * 16 + (tied ? 0 : 13 * 16);
    assertThat(weights(model)).isEqualTo(expected);
    assertThat(model.head.getDirectParameters().valueAt(0))
        .satisfies(
            weight -> {
              Parameter table = model.tokenEmbedding.getDirectParameters().valueAt(0);
              assertThat(weight == table).isEqualTo(tied);
            });
  }

  @Test
  void initialize_weights_haveGpt2sDeviations() {
    Gpt2 model = model(Gpt2Config.of(500, 8, 128, 8, 2));
    assertThat(deviation(model.tokenEmbedding.getDirectParameters().valueAt(0)))
        .isCloseTo(0.02, within(0.001));
    assertThat(deviation(model.layers.get(3).attention.projectionIn.getParameters().valueAt(0)))
        .isCloseTo(0.02, within(0.001));
    assertThat(deviation(model.layers.get(3).feedForward.contract.getParameters().valueAt(0)))
        .isCloseTo(0.02 / 4, within(0.001));
  }

  @ParameterizedTest(name = "tied: {0}")
  @ValueSource(booleans = {true, false})
  void save_thenLoad_sameLogitsAndTableWrittenOnce(boolean tied) throws Exception {
    Gpt2Config config = new Gpt2Config(500, 8, 16, 2, 2, 64, 1e-5f, tied);
    Gpt2 model = model(config);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    model.saveParameters(new DataOutputStream(bytes));
    Gpt2 loaded = new Gpt2(config);
    DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes.toByteArray()));
    loaded.loadParameters(manager, in);
    assertThat(in.read()).as("end of the stream").isEqualTo(-1);
    long[][] ids = {{1, 2, 3, 4}};
    assertThat(distance(logits(model, ids), logits(loaded, ids))).isZero();
    assertThat((long) bytes.size() - weights(model) * Float.BYTES).isBetween(0L, OVERHEAD);
  }

  @Test
  void trainBiasesOnly_parameters_onlyOffsetsStayTrainable() {
    Gpt2 model = model(CONFIG);
    model.trainBiasesOnly();
    for (HuggingFaceGpt2.Tensor tensor : HuggingFaceGpt2.tensors(model)) {
      assertThat(tensor.parameter().requiresGradient())
          .as(tensor.name())
          .isEqualTo(tensor.name().endsWith(".bias"));
    }
  }

  @ParameterizedTest(name = "length {0}")
  @ValueSource(longs = {0, 9})
  void forward_lengthOutsideTheContext_isRefused(long length) {
    Gpt2 model = model(CONFIG);
    NDArray ids = manager.zeros(new Shape(1, length), DataType.INT64);
    assertThatThrownBy(
            () -> model.forward(new ParameterStore(manager, false), new NDList(ids), false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("1 <= T <= 8");
  }

  private Gpt2 model(Gpt2Config config) {
    manager.getEngine().setRandomSeed(7);
    Gpt2 model = new Gpt2(config);
    model.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    return model;
  }

  private NDArray logits(Gpt2 model, long[][] ids) {
    NDArray input = manager.create(ids);
    return model.forward(new ParameterStore(manager, false), new NDList(input), false).head();
  }

  /** Number of weights, those that are used twice counted once. */
  private static long weights(Gpt2 model) {
    return model.getParameters().values().stream()
        .distinct()
        .mapToLong(parameter -> parameter.getArray().size())
        .sum();
  }

  private static double deviation(Parameter parameter) {
    NDArray array = parameter.getArray();
    return Math.sqrt(array.square().mean().getFloat());
  }

  private static float distance(NDArray actual, NDArray expected) {
    return actual.sub(expected).abs().max().getFloat();
  }
}
