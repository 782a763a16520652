/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;

/**
 * Two 3 x 3 convolutions and a shortcut without parameters: where the unit halves the image and
 * adds channels, the shortcut takes every second pixel and pads the channels with zeros.
 *
 * <p>\(y = \mathrm{relu}(n_2(c_2(\mathrm{relu}(n_1(c_1(x))))) + s(x))\); x is (B, C, H, W) and y is
 * (B, filters, H / stride, W / stride).
 *
 * @see <a href="https://arxiv.org/abs/1512.03385">He et al. 2015, figure 2 and option A of section
 *     4.1</a>
 */
final class BasicUnit extends AbstractBlock {

  private static final byte VERSION = 1;

  private final int stride;
  private final long filters;
  private final Block conv1;
  private final Block bn1;
  private final Block conv2;
  private final Block bn2;

  BasicUnit(long filters, int stride) {
    super(VERSION);
    this.stride = stride;
    this.filters = filters;
    conv1 = addChildBlock("conv1", convolution(filters, stride));
    bn1 = addChildBlock("bn1", BatchNorm.builder().build());
    conv2 = addChildBlock("conv2", convolution(filters, 1));
    bn2 = addChildBlock("bn2", BatchNorm.builder().build());
  }

  /** A 3 x 3 convolution without bias that keeps the size of the image but for its stride. */
  static Conv2d convolution(long filters, int stride) {
    return Conv2d.builder()
        .setKernelShape(new Shape(3, 3))
        .setFilters(Math.toIntExact(filters))
        .optStride(new Shape(stride, stride))
        .optPadding(new Shape(1, 1))
        .optBias(false)
        .build();
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
    NDArray x = inputs.singletonOrThrow();
    NDList hidden = bn1.forward(store, conv1.forward(store, inputs, training), training);
    NDList rest = new NDList(Activation.relu(hidden.singletonOrThrow()));
    NDList unit = bn2.forward(store, conv2.forward(store, rest, training), training);
    return new NDList(Activation.relu(unit.singletonOrThrow().add(shortcut(x))));
  }

  private NDArray shortcut(NDArray x) {
    long added = filters - x.getShape().get(1);
    if (stride == 1 && added == 0) {
      return x;
    }
    NDArray pixels = x;
    if (stride > 1) {
      pixels =
          x.get(
              new NDIndex()
                  .addAllDim(2)
                  .addSliceDim(0, x.getShape().get(2), stride)
                  .addSliceDim(0, x.getShape().get(3), stride));
    }
    long before = added / 2;
    Shape shape = pixels.getShape();
    NDManager manager = x.getManager();
    NDArray padded = pixels;
    if (before > 0) {
      padded = zeros(manager, x, shape, before).concat(padded, 1);
    }
    return padded.concat(zeros(manager, x, shape, added - before), 1);
  }

  private static NDArray zeros(NDManager manager, NDArray like, Shape shape, long channels) {
    return manager.zeros(
        new Shape(shape.get(0), channels, shape.get(2), shape.get(3)),
        like.getDataType(),
        like.getDevice());
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return conv1.getOutputShapes(inputShapes);
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputShapes) {
    conv1.initialize(manager, type, inputShapes);
    Shape[] hidden = conv1.getOutputShapes(inputShapes);
    bn1.initialize(manager, type, hidden);
    conv2.initialize(manager, type, hidden);
    bn2.initialize(manager, type, hidden);
  }
}
