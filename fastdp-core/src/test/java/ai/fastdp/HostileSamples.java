/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.Random;

/** Draws values that are likely to break a norm or a sum. */
final class HostileSamples {
  /** An input (1, T, d) or ids (1, T), and an output gradient (1, T, p). */
  record Pair(NDArray input, NDArray outputGradient) {
    Pair negated() {
      return new Pair(input, outputGradient.neg());
    }
  }

  private final NDManager scope;
  private final Random random;

  HostileSamples(NDManager scope, long seed) {
    this.scope = scope;
    random = new Random(seed);
  }

  boolean coin() {
    return random.nextBoolean();
  }

  int count(int bound) {
    return random.nextInt(bound);
  }

  float scale() {
    return switch (random.nextInt(8)) {
      case 0 -> 0;
      case 1 -> 1e-30f;
      case 2 -> 1e30f;
      case 3 -> (float) Math.pow(10, 20 * random.nextDouble() - 10);
      case 4 -> (float) Math.pow(10, 60 * random.nextDouble() - 30);
      case 5 -> 1e9f;
      default -> 1;
    };
  }

  float[] values(int count, float scale) {
    float[] values = new float[count];
    int kind = random.nextInt(4);
    for (int j = 0; j < count; j++) {
      values[j] =
          switch (kind) {
            case 0 -> scale;
            case 1 -> random.nextInt(4) == 0 ? scale : 0;
            default -> scale * (float) random.nextGaussian();
          };
    }
    return values;
  }

  /** A linear use; often its positions cancel, all or nearly. */
  Pair pair(int positions, int inputs, int outputs) {
    float inputScale = scale();
    float outputScale = scale();
    float[] a = new float[positions * inputs];
    float[] g = new float[positions * outputs];
    int kind = random.nextInt(7);
    for (int t = 0; t < positions; t++) {
      boolean varied = kind == 0 || random.nextInt(20) == 0;
      float[] x = values(inputs, varied ? scale() : inputScale);
      float[] y = values(outputs, varied ? scale() : outputScale);
      System.arraycopy(x, 0, a, t * inputs, inputs);
      System.arraycopy(y, 0, g, t * outputs, outputs);
    }
    if (kind >= 5 && positions > 2) {
      swallow(positions, inputs, outputs, a, g);
    } else if (kind >= 2 && positions > 1) {
      cancel(positions, inputs, outputs, a, g, kind);
    }
    return new Pair(array(a, positions, inputs), array(g, positions, outputs));
  }

  /** All positions share the input, and the last output gradient is minus the sum of the rest. */
  private void cancel(int positions, int inputs, int outputs, float[] a, float[] g, int kind) {
    for (int t = 1; t < positions; t++) {
      System.arraycopy(a, 0, a, t * inputs, inputs);
    }
    int last = (positions - 1) * outputs;
    for (int j = 0; j < outputs; j++) {
      float sum = 0;
      for (int t = 0; t < positions - 1; t++) {
        sum += g[t * outputs + j];
      }
      g[last + j] = -sum;
      if (kind == 3) {
        g[last + j] *= 1 + 1e-6f * (float) random.nextGaussian();
      }
    }
  }

  /**
   * One large output gradient, others too small to be seen beside it in float32, and in a later
   * place the large one with the other sign; often minus the sum of the small ones, or nearly.
   */
  private void swallow(int positions, int inputs, int outputs, float[] a, float[] g) {
    boolean same = coin();
    float share = 0.6f * random.nextFloat();
    double left = coin() ? 0 : Math.pow(10, -3 * random.nextDouble());
    int from = random.nextInt(positions - 2);
    int to = from + 2 + random.nextInt(positions - from - 2);
    for (int t = 1; same && t < positions; t++) {
      System.arraycopy(a, 0, a, t * inputs, inputs);
    }
    for (int j = 0; j < outputs; j++) {
      float large = g[j];
      float small = share * Math.ulp(large);
      for (int t = 0; t < positions; t++) {
        g[t * outputs + j] = small;
      }
      g[from * outputs + j] = large;
      g[to * outputs + j] = -large;
      g[(positions - 1) * outputs + j] -= (float) ((1 - left) * small * (positions - 3));
    }
  }

  /**
   * An input (1, inputs, size, size) and an output gradient (1, outputs, side, side); often all
   * patches are equal, and often the output gradients add up to nothing.
   */
  Pair images(int inputs, int size, int outputs, int side) {
    return new Pair(
        image(pair(size * size, inputs, 1).input(), inputs, size),
        image(pair(side * side, 1, outputs).outputGradient(), outputs, side));
  }

  private static NDArray image(NDArray positions, int channels, int side) {
    return positions.transpose(0, 2, 1).reshape(1, channels, side, side).duplicate();
  }

  NDArray ids(long... ids) {
    return scope.create(ids, new Shape(1, ids.length));
  }

  NDArray array(float[] values, int positions, int width) {
    return scope.create(values, new Shape(1, positions, width));
  }

  /** Look-ups of few ids, so that equal ones are frequent; often their rows cancel. */
  Pair rows(int positions, int vocabulary, int width) {
    long[] ids = new long[positions];
    int distinct = 1 + random.nextInt(vocabulary);
    for (int t = 0; t < positions; t++) {
      ids[t] = random.nextInt(distinct);
    }
    Pair pair = pair(positions, 1, width);
    return new Pair(ids(ids), pair.outputGradient());
  }
}
