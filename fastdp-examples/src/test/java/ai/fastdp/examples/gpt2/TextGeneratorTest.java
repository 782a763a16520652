/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.nn.LambdaBlock;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TextGeneratorTest {

  private static final int CONTEXT = 4;
  private static final TextTokenizer BYTES = new ByteTokenizer();

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void generate_greedy_followsTheModelUntilTheEnd() {
    assertThat(generator(countUpTo('f')).build().generate("ab", 100)).isEqualTo("cdef");
  }

  @Test
  void generate_limit_isKept() {
    assertThat(generator(countUpTo('z')).build().generate("ab", 3)).isEqualTo("cde");
  }

  @Test
  void generate_promptLongerThanTheContext_readsItsEnd() {
    assertThat(generator(countUpTo('z')).build().generate("abcdefghij", 2)).isEqualTo("kl");
  }

  @Test
  void generate_arrays_areReleased() {
    TextGenerator generator = generator(countUpTo('z')).build();
    int before = manager.getManagedArrays().size();
    generator.generate("a", 10);
    assertThat(manager.getManagedArrays()).hasSize(before);
  }

  /**
   * The frequency of each token is within five standard deviations of its probability; a sound
   * generator fails with a probability below 1e-5.
   */
  @ParameterizedTest(name = "temperature {0}")
  @ValueSource(doubles = {0.5, 1, 2})
  void choose_temperature_drawsFromTheSoftmax(double temperature) {
    float[] logits = {0.3f, -1, 1.2f, 0, -0.5f};
    int draws = 20_000;
    TextGenerator generator =
        generator(countUpTo('z')).optTemperature(temperature, new Random(3)).build();
    int[] counts = new int[logits.length];
    for (int i = 0; i < draws; i++) {
      counts[generator.choose(logits)]++;
    }
    double total = 0;
    for (float logit : logits) {
      total += Math.exp(logit / temperature);
    }
    for (int i = 0; i < logits.length; i++) {
      double probability = Math.exp(logits[i] / temperature) / total;
      double deviation = Math.sqrt(probability * (1 - probability) / draws);
      assertThat((double) counts[i] / draws).isCloseTo(probability, within(5 * deviation));
    }
  }

  @Test
  void choose_topK_drawsOnlyFromTheLargest() {
    float[] logits = {0.3f, -1, 1.2f, 0, -0.5f};
    TextGenerator generator =
        generator(countUpTo('z')).optTemperature(5, new Random(3)).optTopK(2).build();
    int[] counts = new int[logits.length];
    for (int i = 0; i < 1000; i++) {
      counts[generator.choose(logits)]++;
    }
    assertThat(counts[0]).isPositive();
    assertThat(counts[2]).isPositive();
    assertThat(counts[0] + counts[2]).isEqualTo(1000);
  }

  @Test
  void choose_hugeLogits_doNotOverflow() {
    TextGenerator generator = generator(countUpTo('z')).optTemperature(1, new Random(3)).build();
    assertThat(generator.choose(new float[] {-1e30f, 1e30f, 0})).isEqualTo(1);
  }

  @Test
  void builder_badValues_areRefused() {
    TextGenerator.Builder builder = generator(countUpTo('z'));
    assertThatThrownBy(() -> builder.optTemperature(Double.NaN, new Random(1)))
        .hasMessage("temperature must be finite and >= 0, got NaN");
    assertThatThrownBy(() -> builder.optTopK(0)).hasMessage("topK must be >= 1, got 0");
  }

  private TextGenerator.Builder generator(Block model) {
    return TextGenerator.builder(model, manager, BYTES, CONTEXT);
  }

  /** A model that says the next byte, and after the last one the end of the text. */
  private static Block countUpTo(int last) {
    return new LambdaBlock(
        inputs -> {
          NDArray ids = inputs.head();
          assertThat(ids.getShape().get(1)).isLessThanOrEqualTo(CONTEXT);
          NDArray isLast = ids.eq((long) last).toType(DataType.INT64, false);
          NDArray next = ids.add(1L).mul(isLast.neg().add(1L)).add(isLast.mul(256L));
          return new NDList(next.oneHot(257));
        });
  }
}
