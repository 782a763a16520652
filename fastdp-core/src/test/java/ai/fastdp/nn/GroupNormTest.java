/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The block by itself, without an engine. */
final class GroupNormTest {
  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest(name = "{0} channels in {1} groups, {2} x {3}")
  @CsvSource({"6, 1, 2, 5", "6, 3, 4, 3", "6, 6, 3, 3", "4, 2, 1, 1"})
  void forward_anyGroups_equalsTheFormula(int channels, int groups, int height, int width) {
    GroupNorm norm = GroupNorm.builder().setGroups(groups).optEpsilon(0.01f).build();
    Shape shape = new Shape(3, channels, height, width);
    norm.initialize(manager, DataType.FLOAT32, shape);
    NDArray gamma = array(norm, "gamma");
    NDArray beta = array(norm, "beta");
    gamma.addi(manager.randomNormal(gamma.getShape()));
    beta.addi(manager.randomNormal(beta.getShape()));
    NDArray x = manager.randomNormal(shape).mul(3).add(1);
    double[] expected =
        formula(
            x.toFloatArray(),
            gamma.toFloatArray(),
            beta.toFloatArray(),
            groups,
            height * width,
            0.01f);
    for (boolean training : new boolean[] {false, true}) {
      NDArray y = norm.forward(new ParameterStore(manager, false), new NDList(x), training).head();
      assertThat(y.getShape()).isEqualTo(shape);
      float[] actual = y.toFloatArray();
      for (int j = 0; j < actual.length; j++) {
        assertThat((double) actual[j])
            .isCloseTo(expected[j], org.assertj.core.data.Offset.offset(2e-5));
      }
    }
    assertThat(norm.getOutputShapes(new Shape[] {shape})).containsExactly(shape);
  }

  private static double[] formula(
      float[] x, float[] gamma, float[] beta, int groups, int positions, double epsilon) {
    double[] y = new double[x.length];
    int size = gamma.length / groups * positions;
    for (int start = 0; start < x.length; start += size) {
      double mean = 0;
      for (int j = start; j < start + size; j++) {
        mean += x[j] / (double) size;
      }
      double variance = 0;
      for (int j = start; j < start + size; j++) {
        variance += (x[j] - mean) * (x[j] - mean) / size;
      }
      for (int j = start; j < start + size; j++) {
        int channel = j / positions % gamma.length;
        y[j] = gamma[channel] * (x[j] - mean) / Math.sqrt(variance + epsilon) + beta[channel];
      }
    }
    return y;
  }

  @Test
  void backward_withoutAnEngine_reachesInputAndParameters() {
    GroupNorm norm = GroupNorm.builder().setGroups(2).build();
    norm.initialize(manager, DataType.FLOAT32, new Shape(1, 4, 3));
    NDArray x = manager.randomNormal(new Shape(2, 4, 3));
    x.setRequiresGradient(true);
    try (GradientCollector collector = manager.getEngine().newGradientCollector()) {
      NDArray y = norm.forward(new ParameterStore(manager, false), new NDList(x), true).head();
      collector.backward(y.pow(3).sum());
    }
    assertThat(x.getGradient().abs().sum().getFloat()).isPositive();
    assertThat(array(norm, "gamma").getGradient().abs().sum().getFloat()).isPositive();
    assertThat(array(norm, "beta").getGradient().abs().sum().getFloat()).isPositive();
  }

  @Test
  void parameters_notScaledOrCentred_doNotTrain() {
    GroupNorm norm = GroupNorm.builder().setGroups(1).optScale(false).optCenter(false).build();
    assertThat(norm.getDirectParameters().values()).noneMatch(p -> p.requiresGradient());
  }

  @Test
  void load_saved_hasTheSameValuesAndRefusesOtherGroups() throws Exception {
    GroupNorm saved = GroupNorm.builder().setGroups(2).build();
    saved.initialize(manager, DataType.FLOAT32, new Shape(1, 4, 3));
    array(saved, "gamma").addi(1.5f);
    array(saved, "beta").addi(-0.5f);
    byte[] file = saved(saved);

    GroupNorm loaded = GroupNorm.builder().setGroups(2).build();
    loaded.loadParameters(manager, new DataInputStream(new ByteArrayInputStream(file)));
    assertThat(array(loaded, "gamma").toFloatArray()).containsOnly(2.5f);
    assertThat(array(loaded, "beta").toFloatArray()).containsOnly(-0.5f);
    GroupNorm other = GroupNorm.builder().setGroups(4).build();
    DataInputStream again = new DataInputStream(new ByteArrayInputStream(file));
    assertThatThrownBy(() -> other.loadParameters(manager, again))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("groups must be as in the file, got 4 where the file has 2");
  }

  @Test
  void initialize_groupsThatDoNotDivide_areRefused() {
    GroupNorm norm = GroupNorm.builder().setGroups(3).build();
    assertThatThrownBy(() -> norm.initialize(manager, DataType.FLOAT32, new Shape(1, 4, 3)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("channels on axis 1 that 3 groups divide, got shape (1, 4, 3)");
  }

  @Test
  void build_numbersOutOfRange_areRefused() {
    assertThatThrownBy(() -> GroupNorm.builder().build())
        .hasMessageContaining("groups must be >= 1, got 0");
    assertThatThrownBy(() -> GroupNorm.builder().setGroups(1).optEpsilon(Float.NaN).build())
        .hasMessageContaining("epsilon must be finite and > 0, got NaN");
  }

  static byte[] saved(Block block) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    block.saveParameters(new DataOutputStream(bytes));
    return bytes.toByteArray();
  }

  static NDArray array(Block block, String name) {
    return Objects.requireNonNull(block.getDirectParameters().get(name)).getArray();
  }
}
