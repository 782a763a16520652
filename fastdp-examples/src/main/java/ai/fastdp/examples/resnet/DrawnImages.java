/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import java.util.Random;

/**
 * Small images that the program draws: a shape or a texture in two random colours, at a random
 * place and size, under noise. Neither the colours nor the place tell the class.
 */
final class DrawnImages {

  static final int SIZE = 16;

  private static final double NOISE = 18;

  /** The classes. Coordinates are those of the drawing: a shape's middle is 0, its edge about 1. */
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
        return square < 1.3 && square > 0.35;
      }
    },
    CROSS {
      @Override
      boolean covers(double u, double v) {
        return Math.min(Math.abs(u), Math.abs(v)) < 0.3 && Math.max(Math.abs(u), Math.abs(v)) < 1.2;
      }
    },
    ROWS {
      @Override
      boolean covers(double u, double v) {
        return Math.sin(5 * v) > 0;
      }
    },
    COLUMNS {
      @Override
      boolean covers(double u, double v) {
        return Math.sin(5 * u) > 0;
      }
    },
    CHECKS {
      @Override
      boolean covers(double u, double v) {
        return Math.sin(4 * u) * Math.sin(4 * v) > 0;
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
    for (int row = 0; row < SIZE; row++) {
      for (int column = 0; column < SIZE; column++) {
        double dx = column + 0.5 - x;
        double dy = row + 0.5 - y;
        boolean covered = drawing.covers(dx / radius, dy / radius);
        for (int c = 0; c < colour.length; c++) {
          double value = (covered ? colour : ground)[c] + NOISE * random.nextGaussian();
          pixels[offset + (c * SIZE + row) * SIZE + column] =
              (byte) Math.round(Math.min(255, Math.max(0, value)));
        }
      }
    }
  }
}
