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
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.ConstantInitializer;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The small blocks by themselves, without an engine. */
final class OtherBlocksTest {
  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  private NDArray forward(Block block, NDArray x) {
    return block.forward(new ParameterStore(manager, false), new NDList(x), true).head();
  }

  @Test
  void rmsNorm_anyRank_equalsTheFormula() {
    RMSNorm norm = RMSNorm.builder().optEpsilon(0.5f).build();
    norm.initialize(manager, DataType.FLOAT32, new Shape(2, 3, 4));
    array(norm, "gamma").addi(manager.randomNormal(new Shape(4)));
    float[] gamma = array(norm, "gamma").toFloatArray();
    NDArray x = manager.randomNormal(new Shape(2, 3, 4));
    float[] in = x.toFloatArray();
    float[] out = forward(norm, x).toFloatArray();
    for (int row = 0; row < in.length; row += 4) {
      double square = 0;
      for (int j = 0; j < 4; j++) {
        square += in[row + j] * (double) in[row + j] / 4;
      }
      for (int j = 0; j < 4; j++) {
        assertThat((double) out[row + j])
            .isCloseTo(
                gamma[j] * in[row + j] / Math.sqrt(square + 0.5),
                org.assertj.core.data.Offset.offset(1e-5));
      }
    }
  }

  @Test
  void instanceNorm_eachChannel_hasMeanZeroAndVarianceOne() {
    InstanceNorm norm = InstanceNorm.builder().build();
    norm.initialize(manager, DataType.FLOAT32, new Shape(1, 3, 50));
    NDArray y = forward(norm, manager.randomNormal(new Shape(2, 3, 50)).mul(4).add(2));
    assertThat(y.mean(new int[] {2}).abs().max().getFloat()).isLessThan(1e-5f);
    assertThat(y.square().mean(new int[] {2}).sub(1).abs().max().getFloat()).isLessThan(1e-4f);
  }

  @Test
  void instanceNorm_singlePositions_areRefused() {
    InstanceNorm norm = InstanceNorm.builder().build();
    assertThatThrownBy(() -> norm.initialize(manager, DataType.FLOAT32, new Shape(1, 3, 1, 1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("several positions for each channel, got shape (1, 3, 1, 1)");
  }

  @Test
  void addedParameter_broadcasts() {
    AddedParameter block =
        AddedParameter.builder()
            .setShape(new Shape(3, 1))
            .optInitializer(new ConstantInitializer(2))
            .build();
    block.initialize(manager, DataType.FLOAT32, new Shape(2, 3, 4));
    NDArray x = manager.randomNormal(new Shape(2, 3, 4));
    assertThat(forward(block, x).sub(x).sub(2).abs().max().getFloat()).isLessThan(1e-6f);
    assertThat(block.getOutputShapes(new Shape[] {x.getShape()})).containsExactly(x.getShape());
  }

  @Test
  void addedParameter_shapeThatDoesNotFit_isRefused() {
    AddedParameter block = AddedParameter.builder().setShape(new Shape(2, 3, 4)).build();
    assertThatThrownBy(() -> block.initialize(manager, DataType.FLOAT32, new Shape(2, 3, 4)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must broadcast to a sample (3, 4), got (2, 3, 4)");
    assertThatThrownBy(() -> AddedParameter.builder().build())
        .hasMessageContaining("shape must be set, got none");
  }

  @Test
  void load_saved_hasTheSameValues() throws Exception {
    Shape shape = new Shape(2, 3, 4);
    Block[] saved = {
      RMSNorm.builder().build(),
      InstanceNorm.builder().build(),
      AddedParameter.builder().setShape(new Shape(3, 4)).build()
    };
    Block[] loaded = {
      RMSNorm.builder().build(),
      InstanceNorm.builder().build(),
      AddedParameter.builder().setShape(new Shape(3, 4)).build()
    };
    NDArray x = manager.randomNormal(shape);
    for (int i = 0; i < saved.length; i++) {
      saved[i].initialize(manager, DataType.FLOAT32, shape);
      NDArray first = saved[i].getDirectParameters().valueAt(0).getArray();
      first.addi(manager.randomNormal(first.getShape()));
      loaded[i].loadParameters(
          manager, new DataInputStream(new ByteArrayInputStream(saved(saved[i]))));
      assertThat(forward(loaded[i], x).toFloatArray())
          .containsExactly(forward(saved[i], x).toFloatArray());
    }
  }

  @Test
  void optEpsilon_notPositive_isRefused() {
    assertThatThrownBy(() -> RMSNorm.builder().optEpsilon(0))
        .hasMessageContaining("epsilon must be finite and > 0, got 0.0");
    assertThatThrownBy(() -> InstanceNorm.builder().optEpsilon(-1))
        .hasMessageContaining("epsilon must be finite and > 0, got -1.0");
    assertThatThrownBy(() -> FrozenBatchNorm.builder().optEpsilon(Float.POSITIVE_INFINITY))
        .hasMessageContaining("epsilon must be finite and > 0, got Infinity");
  }
}
