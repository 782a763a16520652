/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

/**
 * How bytes become the numbers that a model sees: \(x_c = (b / 255 - m_c) / s_c\) for channel c.
 * The constants are public; they are never computed from the private images.
 */
final class Normalization {

  /** The usual constants of ImageNet, with which the published CIFAR-10 weights were trained. */
  static final Normalization IMAGENET =
      new Normalization(new float[] {0.485f, 0.456f, 0.406f}, new float[] {0.229f, 0.224f, 0.225f});

  /** The middle of the range of a byte, and a quarter of it. */
  static final Normalization BYTES =
      new Normalization(new float[] {0.5f, 0.5f, 0.5f}, new float[] {0.25f, 0.25f, 0.25f});

  private final float[] mean;
  private final float[] deviation;

  private Normalization(float[] mean, float[] deviation) {
    this.mean = mean;
    this.deviation = deviation;
  }

  /** What a byte of a channel becomes. */
  float value(byte pixel, int channel) {
    return ((pixel & 0xff) / 255f - mean[channel]) / deviation[channel];
  }
}
