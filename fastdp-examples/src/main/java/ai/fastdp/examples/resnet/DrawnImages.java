/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import java.util.Random;

/**
 * Small images that the program draws: one shape of a class on a plain ground, in random colours,
 * at a random place, size and angle, under noise. Neither the colour nor the place tells the class.
 */
final class DrawnImages {

  static final int SIZE = 16;

  private static final double NOISE = 18;

  /** The classes. Coordinates are those of the shape: its middle is 0 and its edge about 1. */
  private enum Drawing {
    DISC {
      @Override
      boolean covers(double u, double v) {
        return u * u + v * v < 1;
      }
    },
    RING {
      @Override
      boolean covers(double u, double v) {
        double square = u * u + v * v;
        return square < 1.2 && square > 0.4;
      }
    },
    SQUARE {
      @Override
      boolean covers(double u, double v) {
        return Math.max(Math.abs(u), Math.abs(v)) < 0.9;
      }
    },
    CROSS {
      @Override
      boolean covers(double u, double v) {
        return Math.min(Math.abs(u), Math.abs(v)) < 0.3 && Math.max(Math.abs(u), Math.abs(v)) < 1.2;
      }
    },
    BAR {
      @Override
      boolean covers(double u, double v) {
        return Math.abs(u) < 1.3 && Math.abs(v) < 0.35;
      }
    },
    STRIPES {
      @Override
      boolean covers(double u, double v) {
        return Math.sin(5 * u) > 0;
      }
    };

    abstract boolean covers(double u, double v);
  }

  static final int CLASSES = Drawing.values().length;

  private DrawnImages() {}

  /** Draws images; the classes take turns. */
  static LabelledImages draw(Random random, int count) {
    byte[] labels = new byte[count];
    byte[] pixels = new byte[Math.multiplyExact(count, LabelledImages.CHANNELS * SIZE * SIZE)];
    for (int i = 0; i < count; i++) {
      labels[i] = (byte) (i % CLASSES);
      draw(random, Drawing.values()[labels[i]], pixels, i * LabelledImages.CHANNELS * SIZE * SIZE);
    }
    return new LabelledImages(SIZE, pixels, labels);
  }

  private static void draw(Random random, Drawing drawing, byte[] pixels, int offset) {
    double[] ground = new double[LabelledImages.CHANNELS];
    double[] colour = new double[LabelledImages.CHANNELS];
    double contrast;
    do {
      contrast = 0;
      for (int c = 0; c < colour.length; c++) {
        ground[c] = 30 + 195 * random.nextDouble();
        colour[c] = 30 + 195 * random.nextDouble();
        contrast = Math.max(contrast, Math.abs(ground[c] - colour[c]));
      }
    } while (contrast < 90);
    double radius = SIZE * (0.24 + 0.12 * random.nextDouble());
    double x = SIZE * (0.38 + 0.24 * random.nextDouble());
    double y = SIZE * (0.38 + 0.24 * random.nextDouble());
    double angle = Math.PI * random.nextDouble();
    double cos = Math.cos(angle) / radius;
    double sin = Math.sin(angle) / radius;
    for (int row = 0; row < SIZE; row++) {
      for (int column = 0; column < SIZE; column++) {
        double dx = column + 0.5 - x;
        double dy = row + 0.5 - y;
        boolean covered = drawing.covers(cos * dx + sin * dy, cos * dy - sin * dx);
        for (int c = 0; c < colour.length; c++) {
          double value = (covered ? colour : ground)[c] + NOISE * random.nextGaussian();
          pixels[offset + (c * SIZE + row) * SIZE + column] =
              (byte) Math.round(Math.min(255, Math.max(0, value)));
        }
      }
    }
  }
}
