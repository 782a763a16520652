/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class RestaurantGrammarTest {

  @Test
  void draw_publicAndPrivate_shareNoText() {
    List<TextExample> publicText = RestaurantGrammar.PUBLIC.draw(new Random(1), 5000);
    List<TextExample> privateText = RestaurantGrammar.PRIVATE.draw(new Random(1), 5000);
    Set<String> prompts = new HashSet<>();
    Set<String> completions = new HashSet<>();
    publicText.forEach(
        example -> {
          prompts.add(example.prompt());
          completions.add(example.completion());
        });
    assertThat(prompts).hasSizeGreaterThan(1000);
    assertThat(privateText)
        .noneMatch(example -> prompts.contains(example.prompt()))
        .noneMatch(example -> completions.contains(example.completion()));
  }

  @Test
  void draw_completion_saysWhatThePromptLists() {
    for (TextExample example : RestaurantGrammar.PRIVATE.draw(new Random(2), 200)) {
      for (String part : example.prompt().replace(" ||", "").split(" \\| ", -1)) {
        assertThat(example.completion()).contains(part);
      }
      assertThat(example.completion()).doesNotContain("NAME", "FOOD", "PRICE", "AREA");
    }
  }

  @Test
  void draw_sameSeed_sameText() {
    assertThat(RestaurantGrammar.PUBLIC.draw(new Random(9), 50))
        .isEqualTo(RestaurantGrammar.PUBLIC.draw(new Random(9), 50))
        .isNotEqualTo(RestaurantGrammar.PUBLIC.draw(new Random(10), 50));
  }
}
