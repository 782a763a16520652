/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.mechanism;

import java.nio.FloatBuffer;

/**
 * Standard normal numbers from the bits of one stream, by the ziggurat method.
 *
 * <p>The area under \(f(x) = e^{-x^2/2}\), \(x \ge 0\), is covered by 256 layers of the same area.
 * A word of 64 bits chooses a layer (8 bits) and a place on it (52 bits, with the sign); 98.8 % of
 * the words end there, the others are compared with f, or drawn from the tail, which has no end.
 * All of it is float64, rounded once to float32, so that a number differs from an exact normal one
 * by at most 6e-8 of its size, or 2e-15 where that is more.
 *
 * @see <a href="https://doi.org/10.18637/jss.v005.i08">Marsaglia and Tsang 2000</a>
 */
final class NormalNumbers {
  private static final int LAYERS = 256;
  // Where the tail begins, such that the last layer ends at f(0), and the area of each layer.
  private static final double TAIL = 3.654152885361009;
  private static final double AREA = 0.004928673233974655;

  // Layer i lies between f(EDGES[i]) and f(EDGES[i + 1]) and is as wide as its lower edge. The
  // lowest holds the tail and is as wide as a rectangle of its area.
  private static final double[] EDGES = edges();
  private static final double[] DOUBLE_EDGES = new double[LAYERS];
  private static final double[] HEIGHTS = new double[LAYERS + 1];

  static {
    for (int i = 0; i <= LAYERS; i++) {
      HEIGHTS[i] = density(EDGES[i]);
    }
    for (int i = 0; i < LAYERS; i++) {
      DOUBLE_EDGES[i] = 2 * EDGES[i];
    }
  }

  private static final int BLOCK = 1 << 10;

  private final StreamWords words;
  private final float[] block = new float[BLOCK];

  NormalNumbers(StreamWords words) {
    this.words = words;
  }

  NormalNumbers(NoiseSource.Bits bits) {
    this(new StreamWords(bits));
  }

  private static double[] edges() {
    double[] edges = new double[LAYERS + 1];
    edges[0] = AREA / density(TAIL);
    edges[1] = TAIL;
    for (int i = 2; i < LAYERS; i++) {
      edges[i] = Math.sqrt(-2 * Math.log(AREA / edges[i - 1] + density(edges[i - 1])));
    }
    return edges;
  }

  private static double density(double x) {
    return Math.exp(-x * x / 2);
  }

  double next() {
    return number(words.next());
  }

  /** Fills the first {@code count} places. */
  void fill(FloatBuffer numbers, int count) {
    for (int done = 0; done < count; done += block.length) {
      int many = Math.min(count - done, block.length);
      fillBlock(many);
      numbers.put(done, block, 0, many);
    }
  }

  private void fillBlock(int count) {
    int done = 0;
    while (done < count) {
      int most = Math.min(count - done, words.ready());
      int run = core(words.block(), words.position(), block, done, most);
      words.skip(run);
      done += run;
      if (run < most) {
        block[done++] = (float) number(words.next());
      }
    }
  }

  /** Takes words until one does not end on its layer's core; most of the time is spent here. */
  private static int core(long[] words, int first, float[] numbers, int from, int most) {
    for (int k = 0; k < most; k++) {
      long word = words[first + k];
      int layer = layer(word);
      double x = place(word) * DOUBLE_EDGES[layer];
      if (!(Math.abs(x) < EDGES[layer + 1])) {
        return k;
      }
      numbers[from + k] = (float) x;
    }
    return most;
  }

  private static int layer(long word) {
    return (int) (word & (LAYERS - 1));
  }

  /** In [-1/2, 1/2), of the word's upper 52 bits: by a number in [1, 2), as conversion is slow. */
  private static double place(long word) {
    return Double.longBitsToDouble(word >>> 12 ^ 0x3FF8000000000000L) - 1.5;
  }

  private double number(long first) {
    long word = first;
    while (true) {
      int layer = layer(word);
      double x = place(word) * DOUBLE_EDGES[layer];
      if (Math.abs(x) < EDGES[layer + 1]) {
        return x;
      }
      if (layer == 0) {
        return Math.copySign(tail(), x);
      }
      double y = HEIGHTS[layer] + uniform() * (HEIGHTS[layer + 1] - HEIGHTS[layer]);
      if (y < density(x)) {
        return x;
      }
      word = words.next();
    }
  }

  /** A number beyond the tail's beginning, by an exponential one. */
  private double tail() {
    while (true) {
      double beyond = -Math.log(uniform()) / TAIL;
      if (-2 * Math.log(uniform()) > beyond * beyond) {
        return TAIL + beyond;
      }
    }
  }

  /** In (0, 1), never at an end. */
  private double uniform() {
    return ((words.next() >>> 11) + 0.5) * 0x1p-53;
  }
}
