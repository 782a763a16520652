/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.pooling.Pool;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.List;

/**
 * The ResNet-20 for CIFAR-10: a 3 x 3 convolution, three stages of three {@link BasicUnit}s with
 * 16, 32 and 64 filters, the mean over all pixels, and a linear layer; 0.27 million parameters.
 * Images (B, 3, H, W) to scores (B, classes).
 *
 * <p>Its layers have the names that they have in the published weights.
 *
 * @see <a href="https://arxiv.org/abs/1512.03385">He et al. 2015, section 4.2</a>
 */
final class ResNet20 extends AbstractBlock {

  private static final byte VERSION = 1;
  private static final int STAGES = 3;
  private static final int UNITS = 3;
  private static final long FILTERS = 16;

  private final Block conv1;
  private final Block bn1;
  private final List<Block> units = new ArrayList<>();
  private final Block linear;

  ResNet20(long classes) {
    super(VERSION);
    conv1 = addChildBlock("conv1", BasicUnit.convolution(FILTERS, 1));
    bn1 = addChildBlock("bn1", BatchNorm.builder().build());
    for (int stage = 0; stage < STAGES; stage++) {
      for (int unit = 0; unit < UNITS; unit++) {
        int stride = stage > 0 && unit == 0 ? 2 : 1;
        units.add(
            addChildBlock(
                "layer" + (stage + 1) + "." + unit, new BasicUnit(FILTERS << stage, stride)));
      }
    }
    linear = addChildBlock("linear", Linear.builder().setUnits(classes).build());
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
    NDList hidden = bn1.forward(store, conv1.forward(store, inputs, training), training);
    hidden = new NDList(Activation.relu(hidden.singletonOrThrow()));
    for (Block unit : units) {
      hidden = unit.forward(store, hidden, training);
    }
    NDArray features = Pool.globalAvgPool2d(hidden.singletonOrThrow());
    return linear.forward(store, new NDList(features), training);
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return linear.getOutputShapes(
        new Shape[] {new Shape(inputShapes[0].get(0), FILTERS << (STAGES - 1))});
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputShapes) {
    conv1.initialize(manager, type, inputShapes);
    Shape[] hidden = conv1.getOutputShapes(inputShapes);
    bn1.initialize(manager, type, hidden);
    for (Block unit : units) {
      unit.initialize(manager, type, hidden);
      hidden = unit.getOutputShapes(hidden);
    }
    linear.initialize(manager, type, new Shape(hidden[0].get(0), hidden[0].get(1)));
  }
}
