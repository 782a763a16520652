/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Continues a text with a language model, one token after the other.
 *
 * <p>At temperature 0 it takes the likeliest token. At temperature \(\tau > 0\) it draws token v
 * with probability proportional to \(\exp(z_v / \tau)\) among the k largest logits z.
 */
public final class TextGenerator {

  private final Block model;
  private final NDManager manager;
  private final TextTokenizer tokenizer;
  private final int contextLength;
  private final double temperature;
  private final int topK;
  private final Random random;

  private TextGenerator(Builder builder) {
    model = builder.model;
    manager = builder.manager;
    tokenizer = builder.tokenizer;
    contextLength = builder.contextLength;
    temperature = builder.temperature;
    topK = builder.topK;
    random = builder.random;
  }

  /**
   * Starts a generator that takes the likeliest token.
   *
   * @param model maps ids (1, T) to logits (1, T, vocabulary)
   * @param manager parent of the arrays made on the way
   * @param tokenizer the model's
   * @param contextLength the largest T of the model
   * @return a builder
   */
  public static Builder builder(
      Block model, NDManager manager, TextTokenizer tokenizer, int contextLength) {
    return new Builder(model, manager, tokenizer, contextLength);
  }

  /**
   * Continues a prompt until the end of the text.
   *
   * @param prompt what the model reads first; of one longer than the context only the end is read
   * @param maxTokens the largest number of tokens to add
   * @return what follows the prompt, without it
   */
  public String generate(String prompt, int maxTokens) {
    long[] tokens = tokenizer.encode(prompt);
    if (tokens.length == 0) {
      tokens = new long[] {tokenizer.endOfText()};
    }
    int start = tokens.length;
    for (int i = 0; i < maxTokens; i++) {
      int next = choose(lastLogits(tokens));
      if (next == tokenizer.endOfText()) {
        break;
      }
      tokens = Arrays.copyOf(tokens, tokens.length + 1);
      tokens[tokens.length - 1] = next;
    }
    return tokenizer.decode(Arrays.copyOfRange(tokens, start, tokens.length));
  }

  /** Chooses a token by its logits. */
  int choose(float[] logits) {
    int[] candidates =
        IntStream.range(0, logits.length)
            .boxed()
            .sorted((a, b) -> Float.compare(logits[b], logits[a]))
            .limit(temperature == 0 ? 1 : topK)
            .mapToInt(Integer::intValue)
            .toArray();
    double[] weights = new double[candidates.length];
    double total = 0;
    for (int i = 0; i < weights.length; i++) {
      // Relative to the largest logit, so that nothing overflows and at least one weight is 1.
      weights[i] =
          i == 0 ? 1 : Math.exp((logits[candidates[i]] - logits[candidates[0]]) / temperature);
      total += weights[i];
    }
    double draw = random.nextDouble() * total;
    int chosen = 0;
    while (chosen < candidates.length - 1 && draw >= weights[chosen]) {
      draw -= weights[chosen];
      chosen++;
    }
    return candidates[chosen];
  }

  private float[] lastLogits(long[] tokens) {
    long[] context =
        Arrays.copyOfRange(tokens, Math.max(0, tokens.length - contextLength), tokens.length);
    try (NDManager scope = manager.newSubManager()) {
      NDArray ids = scope.create(context).expandDims(0);
      NDArray logits =
          model.forward(new ParameterStore(scope, false), new NDList(ids), false).head();
      return logits.get("0, -1").toFloatArray();
    }
  }

  /** Builds a {@link TextGenerator}. */
  public static final class Builder {

    private final Block model;
    private final NDManager manager;
    private final TextTokenizer tokenizer;
    private final int contextLength;
    private double temperature;
    private int topK = Integer.MAX_VALUE;
    private Random random = new Random(0);

    private Builder(Block model, NDManager manager, TextTokenizer tokenizer, int contextLength) {
      this.model = model;
      this.manager = manager;
      this.tokenizer = tokenizer;
      this.contextLength = contextLength;
    }

    /**
     * Draws tokens instead of taking the likeliest.
     *
     * @param value the temperature, finite and at least 0; 0 takes the likeliest token
     * @param source source of the draws
     * @return this builder
     * @throws IllegalArgumentException if the temperature is not as said
     */
    public Builder optTemperature(double value, Random source) {
      if (!(value >= 0) || Double.isInfinite(value)) {
        throw new IllegalArgumentException("temperature must be finite and >= 0, got " + value);
      }
      this.temperature = value;
      this.random = source;
      return this;
    }

    /**
     * Draws among the likeliest tokens only.
     *
     * @param k how many, at least 1
     * @return this builder
     * @throws IllegalArgumentException if k is below 1
     */
    public Builder optTopK(int k) {
      if (k < 1) {
        throw new IllegalArgumentException("topK must be >= 1, got " + k);
      }
      this.topK = k;
      return this;
    }

    /**
     * Builds the generator.
     *
     * @return the generator
     */
    public TextGenerator build() {
      return new TextGenerator(this);
    }
  }
}
