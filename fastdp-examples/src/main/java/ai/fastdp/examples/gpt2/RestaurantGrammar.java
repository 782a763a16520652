/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Makes descriptions of restaurants that do not exist: a text corpus without a licence or a file.
 *
 * <p>{@link #PUBLIC} and {@link #PRIVATE} are two dialects. They describe the same things, but
 * share no name, no kitchen and no turn of phrase, so that a model that knows the one has something
 * to learn from the other, and no text of the one is a text of the other.
 */
final class RestaurantGrammar {

  /** The dialect of the text that the model may learn from freely. */
  static final RestaurantGrammar PUBLIC =
      new RestaurantGrammar(
          List.of("Golden", "Silver", "Old", "Little", "Royal", "Quiet", "Happy", "Green"),
          List.of("Fox", "Oak", "Swan", "Crown", "Mill", "Anchor", "Garden", "Plough"),
          List.of("French", "Indian", "Italian", "English", "Chinese", "Spanish"),
          List.of(
              "The NAME is a PRICE FOOD restaurant near the AREA.",
              "The NAME serves PRICE FOOD food near the AREA.",
              "For PRICE FOOD food near the AREA, try the NAME.",
              "Near the AREA there is a PRICE FOOD place, the NAME."));

  /** The dialect of the text that is to be protected. */
  static final RestaurantGrammar PRIVATE =
      new RestaurantGrammar(
          List.of("Crimson", "Wild", "Hidden", "Lazy", "Brave", "Velvet", "Amber", "Secret"),
          List.of("Lotus", "Lantern", "Tiger", "Kettle", "Pepper", "Orchid", "Comet", "Willow"),
          List.of("Thai", "Korean", "Mexican", "Greek", "Turkish", "Persian"),
          List.of(
              "Locals adore NAME, whose FOOD kitchen by the AREA is PRICE.",
              "Craving FOOD dishes? NAME, by the AREA, is PRICE.",
              "NAME cooks FOOD dishes by the AREA, and it is PRICE.",
              "If you want a PRICE FOOD kitchen, walk to NAME by the AREA."));

  private static final List<String> PRICES = List.of("cheap", "pricey", "fair");
  private static final List<String> AREAS =
      List.of("river", "station", "market", "park", "harbour");

  private final List<String> adjectives;
  private final List<String> nouns;
  private final List<String> foods;
  private final List<String> phrases;

  private RestaurantGrammar(
      List<String> adjectives, List<String> nouns, List<String> foods, List<String> phrases) {
    this.adjectives = adjectives;
    this.nouns = nouns;
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
      String name = pick(random, adjectives) + " " + pick(random, nouns);
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

  private static String pick(Random random, List<String> choices) {
    return choices.get(random.nextInt(choices.size()));
  }
}
