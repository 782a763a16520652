/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

/** Square colour images and their classes. */
final class LabelledImages {

  static final int CHANNELS = 3;

  private final int size;
  private final byte[] pixels;
  private final byte[] labels;

  /**
   * Takes images.
   *
   * @param size pixels along a side
   * @param pixels for each image its red, green and blue planes, row by row; 0 to 255 as unsigned
   *     bytes
   * @param labels for each image the number of its class
   */
  LabelledImages(int size, byte[] pixels, byte[] labels) {
    if ((long) labels.length * CHANNELS * size * size != pixels.length) {
      throw new IllegalArgumentException(
          labels.length + " images of size " + size + " do not have " + pixels.length + " bytes");
    }
    this.size = size;
    this.pixels = pixels;
    this.labels = labels;
  }

  int count() {
    return labels.length;
  }

  /** Pixels along a side. */
  int size() {
    return size;
  }

  /** Bytes of an image. */
  int imageBytes() {
    return CHANNELS * size * size;
  }

  int label(int image) {
    return labels[image];
  }

  byte pixel(int image, int channel, int row, int column) {
    return pixels[((image * CHANNELS + channel) * size + row) * size + column];
  }
}
