/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.djl.basicmodelzoo.cv.classification.ResNetV1;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.pooling.Pool;
import java.util.stream.Stream;

/**
 * Residual networks for small images, as they were published: with BatchNorm, which private
 * training replaces or fixes ({@link Norm}).
 *
 * @see <a href="https://arxiv.org/abs/1512.03385">He et al. 2015</a>
 */
public final class ResNets {

  private ResNets() {}

  /**
   * DJL's own ResNetV1: 20 layers in three stages for images up to 28 pixels wide, 18 layers in
   * four stages of bottlenecks for larger ones.
   *
   * @param classes the number of classes
   * @param size pixels along a side of an image
   */
  static SequentialBlock resNetV1(long classes, int size) {
    return ResNetV1.builder()
        .setImageShape(new Shape(LabelledImages.CHANNELS, size, size))
        .setNumLayers(size <= 28 ? 20 : 18)
        .setOutSize(classes)
        .build();
  }

  /**
   * ResNet-18 with the stem for small images: a 3 x 3 convolution of stride 1 and no pooling, then
   * DJL's own residual units, two in each of four stages with 64, 128, 256 and 512 filters; 11
   * million parameters.
   *
   * @param classes the number of classes
   * @return the block, images (B, 3, H, W) to scores (B, classes)
   */
  public static SequentialBlock resNet18(long classes) {
    SequentialBlock model = new SequentialBlock();
    model.add(BasicUnit.convolution(64, 1));
    model.add(BatchNorm.builder().build());
    model.add(Activation.reluBlock());
    int before = 64;
    for (int stage = 0; stage < 4; stage++) {
      int filters = 64 << stage;
      int stride = stage == 0 ? 1 : 2;
      model.add(
          ResNetV1.residualUnit(
              filters, new Shape(stride, stride), filters == before, false, 0.9f));
      model.add(ResNetV1.residualUnit(filters, new Shape(1, 1), true, false, 0.9f));
      before = filters;
    }
    return model
        .add(Pool.globalAvgPool2dBlock())
        .add(Blocks.batchFlattenBlock())
        .add(Linear.builder().setUnits(classes).build());
  }

  /** The last layer: the only {@link Linear} of each of these models. */
  static Linear head(Block model) {
    return linears(model)
        .reduce((first, last) -> last)
        .orElseThrow(() -> new IllegalArgumentException("model must end in a Linear, got none"));
  }

  private static Stream<Linear> linears(Block block) {
    return block instanceof Linear linear
        ? Stream.of(linear)
        : block.getChildren().values().stream().flatMap(ResNets::linears);
  }
}
