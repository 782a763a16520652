/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.FloatBuffer;
import org.apache.commons.numbers.gamma.Erfc;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The numbers against the normal distribution function of another library. */
@Tag("slow")
final class NormalNumbersTest {
  private static final int CHUNK = 1 << 20;
  private static final int CHUNKS = 40;
  private static final double END = 5;
  private static final int CELLS = 2_000;

  private static NormalNumbers numbers(long index) {
    return new NormalNumbers(PredictableNoise.seeded(31).stream(index));
  }

  @Test
  void fill_manyNumbers_fallIntoFineCellsAsNormalOnesDo() {
    long[] counts = new long[CELLS + 2];
    float[] values = new float[CHUNK];
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
      numbers(chunk).fill(FloatBuffer.wrap(values), CHUNK);
      for (float value : values) {
        double cell = Math.floor((value + END) / (2 * END) * CELLS);
        counts[(int) Math.max(-1, Math.min(CELLS, cell)) + 1]++;
      }
    }
    double total = (double) CHUNK * CHUNKS;
    double statistic = 0;
    double below = 0;
    for (int cell = 0; cell < counts.length; cell++) {
      double above = cell <= CELLS ? normalBelow(-END + 2 * END * cell / CELLS) : 1;
      double expected = total * (above - below);
      statistic += (counts[cell] - expected) * (counts[cell] - expected) / expected;
      below = above;
    }
    // Chi-squared with 2,001 degrees of freedom: beyond 6.5 deviations with probability 1e-9.
    double freedom = counts.length - 1;
    assertThat((statistic - freedom) / Math.sqrt(2 * freedom)).isBetween(-6.5, 6.5);
  }

  @Test
  void fill_numbersBeyondTheLastLayer_areAsFarOutAsNormalOnes() {
    long[] counts = new long[3];
    float[] values = new float[CHUNK];
    int chunks = 200;
    for (int chunk = 0; chunk < chunks; chunk++) {
      numbers(1_000 + chunk).fill(FloatBuffer.wrap(values), CHUNK);
      for (float value : values) {
        if (Math.abs(value) > 3.66) {
          for (int k = 0; k < counts.length; k++) {
            counts[k] += Math.abs(value) > 3.66 + 0.5 * k ? 1 : 0;
          }
        }
      }
    }
    for (int k = 0; k < counts.length; k++) {
      double expected = 2.0 * chunks * CHUNK * normalBelow(-3.66 - 0.5 * k);
      assertThat((counts[k] - expected) / Math.sqrt(expected)).isBetween(-6.2, 6.2);
    }
  }

  @Test
  void fill_anySizeOfBlocks_givesTheNumbersOfNext() {
    NormalNumbers one = numbers(7);
    NormalNumbers other = numbers(7);
    for (int count : new int[] {1, 5, 1_023, 1_024, 1_025, 7_000}) {
      float[] values = new float[count];
      one.fill(FloatBuffer.wrap(values), count);
      for (float value : values) {
        assertThat(value).isEqualTo((float) other.next());
      }
    }
  }

  private static double normalBelow(double x) {
    return Erfc.value(-x / Math.sqrt(2)) / 2;
  }
}
