/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.fastdp.examples.SharedData;
import ai.fastdp.examples.training.InputException;
import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The model against Hugging Face transformers and against a trained minGPT. */
final class HuggingFaceGpt2Test {

  private static final double LOGIT_TOLERANCE = 1e-4;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  private Path directory = Path.of("");

  @BeforeEach
  void copyModel(@TempDir Path temporary) throws IOException {
    directory = temporary;
    for (String name : new String[] {"config.json", "model.safetensors"}) {
      Files.copy(GptTiny.path(name), directory.resolve(name));
    }
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void forward_weightsFromTransformers_equalsItsLogits() {
    GptTiny.Reference reference = GptTiny.reference();
    Gpt2 model = load(directory);
    try (NDManager scope = manager.newSubManager()) {
      NDArray logits = forward(model, scope.create(reference.ids), false);
      assertThat(logits.getShape()).isEqualTo(new Shape(3, 11, 300));
      assertThat(distance(logits, reference.logits)).isLessThan(LOGIT_TOLERANCE);
    }
  }

  @Test
  void backward_weightsFromTransformers_equalsItsGradientNorms() {
    GptTiny.Reference reference = GptTiny.reference();
    Gpt2 model = load(directory);
    try (NDManager scope = manager.newSubManager();
        GradientCollector collector = collector()) {
      NDArray ids = scope.create(reference.ids);
      NDArray logits = forward(model, ids, true).get(":, :-1");
      NDArray loss = logits.logSoftmax(-1).gather(ids.get(":, 1:").expandDims(2), 2).neg().mean();
      collector.backward(loss);
      assertThat(loss.getFloat()).isCloseTo((float) reference.loss, within(1e-4f));
      for (HuggingFaceGpt2.Tensor tensor : HuggingFaceGpt2.tensors(model)) {
        double expected =
            reference.gradientNorms.getOrDefault(tensor.storedName("transformer."), Double.NaN);
        double norm = tensor.parameter().getArray().getGradient().norm().getFloat();
        assertThat(norm).as(tensor.name()).isCloseTo(expected, within(1e-4 * expected));
      }
      assertThat(reference.gradientNorms).hasSize(HuggingFaceGpt2.tensors(model).size());
    }
  }

  @Test
  void load_namesWithoutPrefix_sameLogits() throws IOException {
    rewriteHeader(header -> header.replace("\"transformer.", "\""));
    GptTiny.Reference reference = GptTiny.reference();
    Gpt2 model = load(directory);
    try (NDManager scope = manager.newSubManager()) {
      NDArray logits = forward(model, scope.create(reference.ids), false);
      assertThat(distance(logits, reference.logits)).isLessThan(LOGIT_TOLERANCE);
    }
  }

  @Test
  void load_weights_leavesNothingElseBehind() {
    Gpt2 model = load(directory);
    assertThat(manager.getManagedArrays()).hasSize(HuggingFaceGpt2.tensors(model).size());
  }

  @Test
  void load_missingTensor_namesIt() throws IOException {
    rewriteHeader(header -> header.replace("h.1.mlp.c_fc.bias", "h.1.mlp.c_fc.other"));
    assertThatThrownBy(() -> load(directory))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("has no tensor 'transformer.h.1.mlp.c_fc.bias'");
  }

  @ParameterizedTest(name = "{0}: {1} becomes {2}")
  @CsvSource({
    "n_embd, 32, 36, must have shape",
    "vocab_size, 300, 301, 'tensor ''transformer.wte.weight'''",
    "n_positions, 24, 23, 'tensor ''transformer.wpe.weight'''",
    "n_layer, 2, 3, 'no tensor ''transformer.h.2.ln_1.weight'''",
    "n_head, 4, 5, width must be a multiple of heads",
    "n_head, 4, 0, heads must be > 0",
    "n_embd, 32, '\"wide\"', n_embd must be an integer",
    "activation_function, '\"gelu_new\"', '\"relu\"', activation_function must be gelu_new",
    "model_type, '\"gpt2\"', '\"llama\"', model_type must be gpt2",
    "scale_attn_weights, true, false, scale_attn_weights must be true",
  })
  void load_configThatDoesNotFit_saysWhat(String field, String from, String to, String message)
      throws IOException {
    Path config = directory.resolve("config.json");
    String text = Files.readString(config);
    String edited = text.replace("\"" + field + "\": " + from, "\"" + field + "\": " + to);
    assertThat(edited).isNotEqualTo(text);
    Files.writeString(config, edited);
    assertThatThrownBy(() -> load(directory))
        .isInstanceOf(InputException.class)
        .hasMessageContaining(message)
        .hasMessageNotContaining("\n");
  }

  @Test
  void load_noConfig_saysSo() throws IOException {
    Files.delete(directory.resolve("config.json"));
    assertThatThrownBy(() -> load(directory))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("cannot read");
  }

  @Test
  void forward_trainedMinGpt_equalsItsActivations() throws IOException {
    Path folder = SharedData.path("tiny_gpt");
    assumeTrue(Files.isDirectory(folder), "shared data is not there");
    JsonObject weights = json(folder.resolve("gpt-nano-sort-model.json"));
    JsonObject expected = json(folder.resolve("gpt-nano-sort-t0-partials.json"));
    Gpt2 model = new Gpt2(new Gpt2Config(3, 11, 48, 3, 3, 192, 1e-5f, false));
    for (HuggingFaceGpt2.Tensor tensor : HuggingFaceGpt2.tensors(model)) {
      // minGPT stores its projections the way DJL does.
      tensor.parameter().setArray(tensor(weights, tensor.storedName("transformer.")));
    }
    model.initialize(manager, DataType.FLOAT32, new Shape(1, 11));
    NDArray ids = tensor(expected, "idx").toType(DataType.INT64, false);
    NDArray logits = forward(model, ids, false);
    assertThat(distance(logits, tensor(expected, "lm_head"))).isLessThan(LOGIT_TOLERANCE);
  }

  private void rewriteHeader(UnaryOperator<String> edit) throws IOException {
    Path path = directory.resolve("model.safetensors");
    ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] header = new byte[(int) file.getLong()];
    file.get(header);
    byte[] edited =
        edit.apply(new String(header, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
    assertThat(edited).isNotEqualTo(header);
    ByteBuffer result =
        ByteBuffer.allocate(Long.BYTES + edited.length + file.remaining())
            .order(ByteOrder.LITTLE_ENDIAN);
    result.putLong(edited.length).put(edited).put(file);
    Files.write(path, result.array());
  }

  private Gpt2 load(Path from) {
    HuggingFaceGpt2 stored = new HuggingFaceGpt2(from);
    Gpt2 model = new Gpt2(stored.config());
    stored.load(model, manager);
    model.initialize(manager, DataType.FLOAT32, new Shape(1, 1));
    return model;
  }

  private NDArray forward(Gpt2 model, NDArray ids, boolean training) {
    ParameterStore store = new ParameterStore(manager, false);
    return model.forward(store, new NDList(ids), training).singletonOrThrow();
  }

  private GradientCollector collector() {
    return manager.getEngine().newGradientCollector();
  }

  private static double distance(NDArray actual, float[][][] expected) {
    float[] flat = new float[(int) actual.size()];
    int next = 0;
    for (float[][] sample : expected) {
      for (float[] position : sample) {
        for (float logit : position) {
          flat[next++] = logit;
        }
      }
    }
    return distance(actual, actual.getManager().create(flat, actual.getShape()));
  }

  private static double distance(NDArray actual, NDArray expected) {
    return actual.sub(expected).abs().max().getFloat();
  }

  private NDArray tensor(JsonObject file, String name) {
    JsonObject entry = file.getAsJsonObject(name);
    ByteBuffer bytes =
        ByteBuffer.wrap(Base64.getDecoder().decode(entry.get("data").getAsString()))
            .order(ByteOrder.LITTLE_ENDIAN);
    float[] values = new float[bytes.remaining() / Float.BYTES];
    bytes.asFloatBuffer().get(values);
    long[] shape = new Gson().fromJson(entry.get("shape"), long[].class);
    return manager.create(values, new Shape(shape));
  }

  private static JsonObject json(Path path) throws IOException {
    return JsonParser.parseString(Files.readString(path)).getAsJsonObject();
  }
}
