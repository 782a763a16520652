/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.util.Progress;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Images as a model takes them: a sample is (3, H, W), or (V, 3, H, W) for V augmented views of the
 * image, each mirrored or not and shifted by up to an eighth of its size; its label is the class.
 */
final class ImageDataset extends RandomAccessDataset {

  private static final int SHIFTS = 8;

  /** Fills the border that a shifted image leaves. */
  private static final byte BLACK = 0;

  private final LabelledImages images;
  private final Normalization normalization;
  private final int views;

  private ImageDataset(Builder builder) {
    super(builder);
    images = builder.images;
    normalization = builder.normalization;
    views = builder.views;
  }

  /**
   * Makes a data set.
   *
   * @param images the images
   * @param normalization what bytes become
   * @param views the number of augmented views of an image; 0 for the image itself
   * @param batchSize samples in a batch, for those who ask the data set for batches
   * @param shuffled whether these batches come in random order
   */
  static ImageDataset of(
      LabelledImages images,
      Normalization normalization,
      int views,
      int batchSize,
      boolean shuffled) {
    return new ImageDataset(
        new Builder(images, normalization, views).setSampling(batchSize, shuffled));
  }

  @Override
  public Record get(NDManager manager, long index) {
    int image = Math.toIntExact(index);
    int size = images.size();
    float[] values = new float[Math.max(1, views) * images.imageBytes()];
    Random random = ThreadLocalRandom.current();
    int reach = size / SHIFTS;
    for (int v = 0; v < Math.max(1, views); v++) {
      boolean mirrored = views > 0 && random.nextBoolean();
      int right = views > 0 ? random.nextInt(2 * reach + 1) - reach : 0;
      int down = views > 0 ? random.nextInt(2 * reach + 1) - reach : 0;
      view(image, mirrored, right, down, values, v * images.imageBytes());
    }
    Shape shape = new Shape(LabelledImages.CHANNELS, size, size);
    NDList data =
        new NDList(manager.create(values, views > 1 ? new Shape(views).addAll(shape) : shape));
    return new Record(data, new NDList(manager.create((long) images.label(image))));
  }

  /** Writes a view: what is at (x, y) comes from (x - right, y - down), mirrored if asked to. */
  private void view(int image, boolean mirrored, int right, int down, float[] values, int offset) {
    int size = images.size();
    for (int c = 0; c < LabelledImages.CHANNELS; c++) {
      for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
          int row = y - down;
          int column = mirrored ? size - 1 - (x - right) : x - right;
          boolean inside = row >= 0 && row < size && column >= 0 && column < size;
          byte pixel = inside ? images.pixel(image, c, row, column) : BLACK;
          values[offset + (c * size + y) * size + x] = normalization.value(pixel, c);
        }
      }
    }
  }

  @Override
  protected long availableSize() {
    return images.count();
  }

  @Override
  public void prepare(Progress progress) {}

  private static final class Builder extends BaseBuilder<Builder> {
    private final LabelledImages images;
    private final Normalization normalization;
    private final int views;

    Builder(LabelledImages images, Normalization normalization, int views) {
      this.images = images;
      this.normalization = normalization;
      this.views = views;
    }

    @Override
    protected Builder self() {
      return this;
    }
  }
}
