/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import static ai.fastdp.nn.GroupNormTest.array;
import static ai.fastdp.nn.GroupNormTest.saved;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The block by itself, without an engine. */
final class FrozenBatchNormTest {
  private static final Shape SHAPE = new Shape(5, 3, 2, 4);

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  private BatchNorm trained() {
    BatchNorm norm = BatchNorm.builder().optEpsilon(0.02f).build();
    norm.initialize(manager, DataType.FLOAT32, SHAPE);
    array(norm, "gamma").addi(manager.randomNormal(new Shape(3)));
    array(norm, "beta").addi(manager.randomNormal(new Shape(3)));
    array(norm, "runningMean").addi(manager.randomNormal(new Shape(3)));
    array(norm, "runningVar").addi(manager.randomUniform(0, 2, new Shape(3)));
    return norm;
  }

  private NDArray forward(Block block, NDArray x, boolean training) {
    return block.forward(new ParameterStore(manager, false), new NDList(x), training).head();
  }

  private static void requireEqual(NDArray actual, NDArray expected) {
    assertThat(actual.getShape()).isEqualTo(expected.getShape());
    assertThat(actual.sub(expected).abs().max().getFloat()).isLessThan(1e-5f);
  }

  @Test
  void of_trainedBatchNorm_computesItsInference() {
    BatchNorm norm = trained();
    NDArray x = manager.randomNormal(SHAPE).mul(2).add(1);
    FrozenBatchNorm frozen = FrozenBatchNorm.of(norm);
    for (boolean training : new boolean[] {false, true}) {
      requireEqual(forward(frozen, x, training), forward(norm, x, false));
    }
  }

  @Test
  void of_parametersThatDoNotTrain_staySo() {
    FrozenBatchNorm frozen =
        FrozenBatchNorm.of(BatchNorm.builder().optScale(false).optCenter(true).build());
    assertThat(frozen.getDirectParameters().get("gamma").requiresGradient()).isFalse();
    assertThat(frozen.getDirectParameters().get("beta").requiresGradient()).isTrue();
    assertThat(frozen.getDirectParameters().get("runningMean").requiresGradient()).isFalse();
    assertThat(frozen.getDirectParameters().get("runningVar").requiresGradient()).isFalse();
  }

  @Test
  void of_valuesAreCopies() {
    BatchNorm norm = trained();
    FrozenBatchNorm frozen = FrozenBatchNorm.of(norm);
    float before = array(frozen, "runningMean").getFloat(0);
    array(norm, "runningMean").addi(1);
    assertThat(array(frozen, "runningMean").getFloat(0)).isEqualTo(before);
  }

  @Test
  void of_channelsOnAnotherAxis_areRefused() {
    BatchNorm norm = BatchNorm.builder().optAxis(2).build();
    assertThatThrownBy(() -> FrozenBatchNorm.of(norm))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must be on axis 1, got 2");
  }

  @Test
  void training_anyBatch_leavesTheStatisticsToTheLastBit() {
    FrozenBatchNorm frozen = FrozenBatchNorm.of(trained());
    float[] mean = array(frozen, "runningMean").toFloatArray();
    float[] variance = array(frozen, "runningVar").toFloatArray();
    NDArray x = manager.randomNormal(SHAPE).mul(7).add(3);
    try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
      collector.backward(forward(frozen, x, true).square().sum());
    }
    assertThat(array(frozen, "runningMean").toFloatArray()).containsExactly(mean);
    assertThat(array(frozen, "runningVar").toFloatArray()).containsExactly(variance);
    assertThat(array(frozen, "gamma").getGradient().abs().sum().getFloat()).isPositive();
    assertThat(array(frozen, "beta").getGradient().abs().sum().getFloat()).isPositive();
    // The same is not true of DJL's, which is why it is refused.
    BatchNorm norm = trained();
    float[] moving = array(norm, "runningMean").toFloatArray();
    forward(norm, x, true);
    assertThat(array(norm, "runningMean").toFloatArray()).isNotEqualTo(moving);
  }

  @Test
  void load_fileOfBatchNorm_andBack() throws Exception {
    BatchNorm norm = trained();
    NDArray x = manager.randomNormal(SHAPE);
    FrozenBatchNorm frozen = FrozenBatchNorm.builder().optEpsilon(0.02f).build();
    load(frozen, saved(norm));
    requireEqual(forward(frozen, x, true), forward(norm, x, false));
    BatchNorm back = BatchNorm.builder().optEpsilon(0.02f).build();
    load(back, saved(frozen));
    requireEqual(forward(back, x, false), forward(norm, x, false));
  }

  private void load(Block block, byte[] file) throws Exception {
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(file))) {
      block.loadParameters(manager, in);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
