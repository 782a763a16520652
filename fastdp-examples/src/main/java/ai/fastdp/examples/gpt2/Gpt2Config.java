/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

/**
 * The size of a {@link Gpt2}.
 *
 * @param vocabularySize number of token ids
 * @param contextLength largest number of positions
 * @param width width of the residual stream, a multiple of {@code heads}
 * @param layers number of transformer layers
 * @param heads number of attention heads
 * @param innerWidth width of the hidden layer of the feed-forward part
 * @param layerNormEpsilon added to the variance in every layer normalisation
 * @param tiedHead whether the head is the token embedding's table, as in GPT-2
 */
public record Gpt2Config(
    int vocabularySize,
    int contextLength,
    int width,
    int layers,
    int heads,
    int innerWidth,
    float layerNormEpsilon,
    boolean tiedHead) {

  /** The value every published GPT-2 uses. */
  static final float DEFAULT_LAYER_NORM_EPSILON = 1e-5f;

  /**
   * Checks the sizes.
   *
   * @param vocabularySize greater than 0
   * @param contextLength greater than 0
   * @param width greater than 0
   * @param layers greater than 0
   * @param heads greater than 0, a divisor of the width
   * @param innerWidth greater than 0
   * @param layerNormEpsilon finite and greater than 0
   * @param tiedHead any
   * @throws IllegalArgumentException if one of them is not as said
   */
  public Gpt2Config {
    requirePositive("vocabularySize", vocabularySize);
    requirePositive("contextLength", contextLength);
    requirePositive("width", width);
    requirePositive("layers", layers);
    requirePositive("heads", heads);
    requirePositive("innerWidth", innerWidth);
    if (width % heads != 0) {
      throw new IllegalArgumentException(
          "width must be a multiple of heads, got width " + width + " and " + heads + " heads");
    }
    if (!(layerNormEpsilon > 0) || Float.isInfinite(layerNormEpsilon)) {
      throw new IllegalArgumentException(
          "layerNormEpsilon must be finite and > 0, got " + layerNormEpsilon);
    }
  }

  /**
   * A configuration in GPT-2's proportions: inner width 4 times the width, tied head.
   *
   * @param vocabularySize number of token ids
   * @param contextLength largest number of positions
   * @param width width of the residual stream
   * @param layers number of transformer layers
   * @param heads number of attention heads
   * @return the configuration
   * @throws IllegalArgumentException if a size is not positive, or the heads do not divide the
   *     width
   */
  public static Gpt2Config of(
      int vocabularySize, int contextLength, int width, int layers, int heads) {
    return new Gpt2Config(
        vocabularySize,
        contextLength,
        width,
        layers,
        heads,
        Math.multiplyExact(4, width),
        DEFAULT_LAYER_NORM_EPSILON,
        true);
  }

  private static void requirePositive(String name, int value) {
    if (value <= 0) {
      throw new IllegalArgumentException(name + " must be > 0, got " + value);
    }
  }
}
