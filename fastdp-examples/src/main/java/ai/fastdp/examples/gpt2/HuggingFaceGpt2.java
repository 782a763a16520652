/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.examples.training.InputException;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * A GPT-2 as Hugging Face stores it: a directory with {@code config.json} and {@code
 * model.safetensors}.
 *
 * <p>The tensors may be named with or without the prefix {@code transformer.}. The weights of the
 * projections are stored as (in, out) and are transposed to DJL's (out, in).
 */
public final class HuggingFaceGpt2 {

  private static final String PREFIX = "transformer.";

  private final Path directory;
  private final Gpt2Config config;

  /**
   * Reads the configuration in a directory.
   *
   * @param directory holds {@code config.json} and {@code model.safetensors}
   * @throws InputException if it cannot be read or describes a model that {@link Gpt2} is not
   */
  public HuggingFaceGpt2(Path directory) {
    this.directory = directory;
    this.config = readConfig(directory.resolve("config.json"));
  }

  /**
   * Returns the size of the stored model.
   *
   * @return the configuration
   */
  public Gpt2Config config() {
    return config;
  }

  /**
   * Loads the stored weights into a model that has none yet.
   *
   * @param model made with {@link #config()}, neither initialized nor loaded
   * @param manager owns the weights from now on
   * @throws InputException if the file is not sound, or a tensor is missing or has another shape
   */
  public void load(Gpt2 model, NDManager manager) {
    Path path = directory.resolve("model.safetensors");
    try (SafetensorsFile file = new SafetensorsFile(path)) {
      String prefix = file.names().contains(PREFIX + "wte.weight") ? PREFIX : "";
      List<Tensor> tensors = tensors(model);
      for (Tensor tensor : tensors) {
        tensor.check(file, path, prefix);
      }
      for (Tensor tensor : tensors) {
        try (NDManager scope = manager.newSubManager()) {
          NDArray stored = file.read(scope, tensor.storedName(prefix));
          NDArray weight = tensor.transposed ? transposed(stored) : stored;
          weight.attach(manager);
          tensor.parameter.setArray(weight);
        }
      }
    }
  }

  /** The transpose in memory of its own, row by row, and not a view with the axes swapped. */
  private static NDArray transposed(NDArray array) {
    Shape shape = array.getShape();
    return array.transpose().flatten().reshape(shape.get(1), shape.get(0));
  }

  /** Pairs every parameter of a model with its name in a Hugging Face file. */
  static List<Tensor> tensors(Gpt2 model) {
    Gpt2Config config = model.config();
    long width = config.width();
    long inner = config.innerWidth();
    List<Tensor> tensors = new ArrayList<>();
    tensors.add(table("wte", model.tokenEmbedding, config.vocabularySize(), width));
    tensors.add(table("wpe", model.positionEmbedding, config.contextLength(), width));
    for (int i = 0; i < model.layers.size(); i++) {
      Gpt2Layer layer = model.layers.get(i);
      String name = "h." + i + ".";
      addNorm(tensors, name + "ln_1", layer.norm1, width);
      addLinear(tensors, name + "attn.c_attn", layer.attention.projectionIn, width, 3 * width);
      addLinear(tensors, name + "attn.c_proj", layer.attention.projectionOut, width, width);
      addNorm(tensors, name + "ln_2", layer.norm2, width);
      addLinear(tensors, name + "mlp.c_fc", layer.feedForward.expand, width, inner);
      addLinear(tensors, name + "mlp.c_proj", layer.feedForward.contract, inner, width);
    }
    addNorm(tensors, "ln_f", model.finalNorm, width);
    if (!config.tiedHead()) {
      tensors.add(
          new Tensor(
              "lm_head.weight",
              parameter(model.head, "weight"),
              new Shape(config.vocabularySize(), width),
              false));
    }
    return tensors;
  }

  private static Tensor table(String name, Block block, long rows, long width) {
    return new Tensor(
        name + ".weight", parameter(block, "embedding"), new Shape(rows, width), false);
  }

  private static void addNorm(List<Tensor> tensors, String name, Block block, long width) {
    Shape shape = new Shape(width);
    tensors.add(new Tensor(name + ".weight", parameter(block, "gamma"), shape, false));
    tensors.add(new Tensor(name + ".bias", parameter(block, "beta"), shape, false));
  }

  private static void addLinear(List<Tensor> tensors, String name, Block block, long in, long out) {
    tensors.add(new Tensor(name + ".weight", parameter(block, "weight"), new Shape(in, out), true));
    tensors.add(new Tensor(name + ".bias", parameter(block, "bias"), new Shape(out), false));
  }

  private static Parameter parameter(Block block, String name) {
    return block.getDirectParameters().get(name);
  }

  private static Gpt2Config readConfig(Path path) {
    JsonObject json;
    try {
      json = JsonParser.parseString(Files.readString(path)).getAsJsonObject();
    } catch (IOException e) {
      throw new InputException("cannot read " + path, e);
    } catch (JsonParseException | IllegalStateException e) {
      throw new InputException(path + " is not a JSON object", e);
    }
    Fields fields = new Fields(path, json);
    fields.require("model_type", "gpt2", v -> v.getAsString().equals("gpt2"));
    fields.require(
        "activation_function",
        "gelu_new or gelu_pytorch_tanh",
        v -> v.getAsString().equals("gelu_new") || v.getAsString().equals("gelu_pytorch_tanh"));
    fields.require("scale_attn_weights", "true", JsonElement::getAsBoolean);
    fields.require("scale_attn_by_inverse_layer_idx", "false", v -> !v.getAsBoolean());
    fields.require("add_cross_attention", "false", v -> !v.getAsBoolean());
    int width = fields.integer("n_embd");
    JsonElement epsilon = json.get("layer_norm_epsilon");
    JsonElement tied = json.get("tie_word_embeddings");
    try {
      return new Gpt2Config(
          fields.integer("vocab_size"),
          fields.integer("n_positions"),
          width,
          fields.integer("n_layer"),
          fields.integer("n_head"),
          fields.isPresent("n_inner") ? fields.integer("n_inner") : Math.multiplyExact(4, width),
          epsilon == null ? Gpt2Config.DEFAULT_LAYER_NORM_EPSILON : epsilon.getAsFloat(),
          tied == null || tied.getAsBoolean());
    } catch (IllegalArgumentException | IllegalStateException | UnsupportedOperationException e) {
      throw new InputException(path + ": " + e.getMessage(), e);
    }
  }

  /** Access to the fields of {@code config.json} that names the file and the field in errors. */
  private record Fields(Path path, JsonObject json) {

    boolean isPresent(String name) {
      return json.has(name) && !json.get(name).isJsonNull();
    }

    int integer(String name) {
      if (!isPresent(name)) {
        throw new InputException(path + " has no field '" + name + "'");
      }
      try {
        return json.get(name).getAsBigInteger().intValueExact();
      } catch (NumberFormatException
          | ArithmeticException
          | IllegalStateException
          | UnsupportedOperationException e) {
        throw new InputException(
            path + ": " + name + " must be an integer, got " + json.get(name), e);
      }
    }

    /** A field that is absent has the one value that this model supports. */
    void require(String name, String supported, Predicate<JsonElement> test) {
      if (!isPresent(name)) {
        return;
      }
      JsonElement value = json.get(name);
      if (!value.isJsonPrimitive() || !test.test(value)) {
        throw new InputException(path + ": " + name + " must be " + supported + ", got " + value);
      }
    }
  }

  /**
   * A parameter and where it is stored.
   *
   * @param name its name in the file, without prefix
   * @param parameter the parameter
   * @param shape its shape in the file
   * @param transposed whether the parameter is the transpose of what is stored
   */
  record Tensor(String name, Parameter parameter, Shape shape, boolean transposed) {

    /** The head is the one tensor that lies outside the transformer. */
    String storedName(String prefix) {
      return name.equals("lm_head.weight") ? name : prefix + name;
    }

    private void check(SafetensorsFile file, Path path, String prefix) {
      Shape stored = file.shape(storedName(prefix));
      if (!stored.equals(shape)) {
        throw new InputException(
            "tensor '"
                + storedName(prefix)
                + "' of "
                + path
                + " must have shape "
                + shape
                + " by config.json, got "
                + stored);
      }
    }
  }
}
