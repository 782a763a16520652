/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Record;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class ImageDatasetTest {

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void get_withoutViews_isTheNormalisedImage() {
    byte[] pixels = new byte[2 * 12];
    pixels[12 + 5] = (byte) 255; // Second image, green, row 0, column 1.
    LabelledImages images = new LabelledImages(2, pixels, new byte[] {3, 4});
    Record sample = ImageDataset.of(images, Normalization.IMAGENET, 0, 1, false).get(manager, 1);
    float[] values = sample.getData().singletonOrThrow().toFloatArray();
    assertThat(sample.getData().singletonOrThrow().getShape()).isEqualTo(new Shape(3, 2, 2));
    assertThat(sample.getLabels().singletonOrThrow().getLong()).isEqualTo(4);
    assertThat(values[0]).isEqualTo(-0.485f / 0.229f);
    assertThat(values[5]).isEqualTo((1 - 0.456f) / 0.224f);
    assertThat(values[11]).isEqualTo(-0.406f / 0.225f);
  }

  @Test
  void get_views_areShiftedAndMirroredImagesOfTheirOwn() {
    LabelledImages images = DrawnImages.draw(new Random(1), 1);
    float[] original =
        ImageDataset.of(images, Normalization.BYTES, 0, 1, false)
            .get(manager, 0)
            .getData()
            .head()
            .toFloatArray();
    NDArray views =
        ImageDataset.of(images, Normalization.BYTES, 64, 1, false).get(manager, 0).getData().head();
    int size = DrawnImages.SIZE;
    assertThat(views.getShape()).isEqualTo(new Shape(64, 3, size, size));
    Set<String> seen = new HashSet<>();
    for (int v = 0; v < 64; v++) {
      float[] view = views.get(v).toFloatArray();
      seen.add(transformation(original, view, size));
    }
    // 2 x 5 x 5 transformations, evenly likely.
    assertThat(seen).hasSizeBetween(20, 50);
    assertThat(seen).anyMatch(t -> t.startsWith("true")).anyMatch(t -> t.startsWith("false"));
  }

  /** The mirroring and the shift that give a view; fails if there is none. */
  private static String transformation(float[] original, float[] view, int size) {
    for (boolean mirrored : new boolean[] {false, true}) {
      for (int right = -2; right <= 2; right++) {
        for (int down = -2; down <= 2; down++) {
          float[] expected = new float[view.length];
          Arrays.fill(expected, -2); // Black.
          for (int c = 0; c < 3; c++) {
            for (int y = Math.max(0, -down); y < Math.min(size, size - down); y++) {
              for (int x = Math.max(0, -right); x < Math.min(size, size - right); x++) {
                int column = mirrored ? size - 1 - x : x;
                expected[(c * size + y + down) * size + x + right] =
                    original[(c * size + y) * size + column];
              }
            }
          }
          if (Arrays.equals(expected, view)) {
            return mirrored + " " + right + " " + down;
          }
        }
      }
    }
    throw new AssertionError("the view is no shifted or mirrored image");
  }

  @Test
  void getData_batches_haveTheAxisOfViewsOnlyWhereThereAreSeveral() throws Exception {
    LabelledImages images = DrawnImages.draw(new Random(1), 4);
    for (int views : new int[] {0, 1, 3}) {
      Batch batch =
          ImageDataset.of(images, Normalization.BYTES, views, 4, true)
              .getData(manager)
              .iterator()
              .next();
      Shape image = new Shape(3, DrawnImages.SIZE, DrawnImages.SIZE);
      assertThat(batch.getData().head().getShape())
          .isEqualTo(views > 1 ? new Shape(4, views).addAll(image) : new Shape(4).addAll(image));
      assertThat(batch.getLabels().head().getShape()).isEqualTo(new Shape(4));
      batch.close();
    }
  }

  @Test
  void draw_sameSeed_sameImagesOfAllClasses() {
    LabelledImages first = DrawnImages.draw(new Random(5), 60);
    LabelledImages second = DrawnImages.draw(new Random(5), 60);
    Set<Integer> classes = new HashSet<>();
    for (int i = 0; i < 60; i++) {
      classes.add(first.label(i));
      assertThat(second.pixel(i, 1, 8, 8)).isEqualTo(first.pixel(i, 1, 8, 8));
    }
    assertThat(classes).hasSize(DrawnImages.CLASSES);
  }
}
