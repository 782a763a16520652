/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Makes descriptions of restaurants that do not exist: a text corpus without a licence or a file.
 *
 * <p>{@link #PUBLIC} and {@link #PRIVATE} are two dialects. They describe the same kind of thing,
 * but share no restaurant, no kitchen and no turn of phrase, so that a model that knows the one has
 * something to learn from the other, and no text of the one is a text of the other.
 */
final class RestaurantGrammar {

  /** The dialect of the text that the model may learn from freely. */
  static final RestaurantGrammar PUBLIC =
      new RestaurantGrammar(
          0,
          List.of("French", "Indian", "Italian", "English", "Chinese", "Spanish"),
          List.of(
              "NAME is a PRICE FOOD place near the AREA.",
              "NAME serves PRICE FOOD food near the AREA.",
              "Near the AREA, NAME has PRICE FOOD food.",
              "For PRICE FOOD food near the AREA, try NAME.",
              "The FOOD place near the AREA is NAME: PRICE.",
              "NAME: FOOD food, PRICE, near the AREA."));

  /** The dialect of the text that is to be protected. */
  static final RestaurantGrammar PRIVATE =
      new RestaurantGrammar(
          1,
          List.of("Thai", "Korean", "Mexican", "Greek", "Turkish", "Persian"),
          List.of(
              "Locals love NAME, a PRICE FOOD kitchen by the AREA.",
              "Visit NAME by the AREA if you want PRICE FOOD dishes.",
              "NAME cooks FOOD dishes by the AREA, and they are PRICE.",
              "PRICE FOOD dishes? Walk to NAME by the AREA."));

  private static final List<String> ADJECTIVES =
      List.of("Old", "Red", "Blue", "Wild", "Tiny", "Grey", "Lucky", "Green");
  private static final List<String> NOUNS =
      List.of("Fox", "Oak", "Swan", "Crown", "Mill", "Lotus", "Lion", "Tiger");
  private static final List<String> PRICES = List.of("cheap", "pricey", "fair");
  private static final List<String> AREAS = List.of("river", "park", "square", "port", "bridge");

  private final int parity;
  private final List<String> foods;
  private final List<String> phrases;

  /**
   * Makes a dialect.
   *
   * @param parity 0 or 1: which half of the names is its own
   * @param foods the kitchens
   * @param phrases the texts, with NAME, FOOD, PRICE and AREA in place of what they speak of
   */
  private RestaurantGrammar(int parity, List<String> foods, List<String> phrases) {
    this.parity = parity;
    this.foods = foods;
    this.phrases = phrases;
  }

  /**
   * Draws descriptions, each part independently and uniformly.
   *
   * @param random source of the choices
   * @param count how many
   * @return the descriptions; the prompt lists what the completion is to say
   */
  List<TextExample> draw(Random random, int count) {
    List<TextExample> examples = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      String name = name(random);
      String food = pick(random, foods);
      String price = pick(random, PRICES);
      String area = pick(random, AREAS);
      String text =
          pick(random, phrases)
              .replace("NAME", name)
              .replace("FOOD", food)
              .replace("PRICE", price)
              .replace("AREA", area);
      examples.add(TextExample.of(String.join(" | ", name, food, price, area), text));
    }
    return examples;
  }

  /**
   * Of all pairs of words, the public names are one colour of the chessboard, the private the
   * other.
   */
  private String name(Random random) {
    int adjective = random.nextInt(ADJECTIVES.size());
    int noun = 2 * random.nextInt(NOUNS.size() / 2) + (adjective + parity) % 2;
    return ADJECTIVES.get(adjective) + " " + NOUNS.get(noun);
  }

  private static String pick(Random random, List<String> choices) {
    return choices.get(random.nextInt(choices.size()));
  }
}
