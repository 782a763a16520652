/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The fused kernels against the same formulas written out in DJL. */
final class FusedOpsTest {

  private static final float TOLERANCE = 1e-5f;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void gelu_valuesAndGradient_equalTheFormula() {
    NDArray x = manager.create(new float[] {-9, -3, -1, -0.5f, 0, 0.1f, 0.7f, 2, 3, 8});
    assertSame(x, FusedOps.get()::gelu, FusedOpsTest::writtenOutGelu);
  }

  @Test
  void causalAttention_valuesAndGradient_equalTheFormula() {
    NDArray qkv = manager.randomNormal(new Shape(2, 5, 3, 4, 6));
    assertSame(qkv, FusedOps.get()::causalAttention, FusedOpsTest::writtenOutAttention);
  }

  private void assertSame(NDArray x, UnaryOperator<NDArray> fused, UnaryOperator<NDArray> formula) {
    NDArray expected = formula.apply(x);
    assertThat(fused.apply(x).getShape()).isEqualTo(expected.getShape());
    assertThat(distance(fused.apply(x), expected)).isLessThan(TOLERANCE);

    NDArray weights = manager.randomNormal(expected.getShape());
    NDArray expectedGradient = gradient(x, formula, weights);
    assertThat(expectedGradient.abs().max().getFloat()).isGreaterThan(0.1f);
    assertThat(distance(gradient(x, fused, weights), expectedGradient)).isLessThan(TOLERANCE);
  }

  private static NDArray gradient(NDArray at, UnaryOperator<NDArray> function, NDArray weights) {
    NDArray x = at.duplicate();
    x.setRequiresGradient(true);
    try (GradientCollector collector = at.getManager().getEngine().newGradientCollector()) {
      collector.backward(function.apply(x).mul(weights).sum());
    }
    return x.getGradient();
  }

  private static NDArray writtenOutGelu(NDArray x) {
    NDArray inner = x.pow(3).mul(0.044715f).add(x).mul((float) Math.sqrt(2 / Math.PI));
    return inner.tanh().add(1).mul(x).mul(0.5f);
  }

  private static NDArray writtenOutAttention(NDArray qkv) {
    NDArray heads = qkv.transpose(2, 0, 3, 1, 4);
    NDArray scores = heads.get(0).matMul(heads.get(1).swapAxes(2, 3));
    scores = scores.div((float) Math.sqrt((double) qkv.getShape().get(4)));
    int length = (int) qkv.getShape().get(1);
    NDArray rows = qkv.getManager().arange(length).expandDims(1);
    NDArray future = qkv.getManager().arange(length).expandDims(0).gt(rows);
    NDArray mixed =
        scores
            .add(future.toType(scores.getDataType(), false).mul(-1e30f))
            .softmax(-1)
            .matMul(heads.get(2));
    Shape shape = qkv.getShape();
    return mixed
        .transpose(0, 2, 1, 3)
        .reshape(shape.get(0), shape.get(1), shape.get(3) * shape.get(4));
  }

  private static float distance(NDArray actual, NDArray expected) {
    return actual.sub(expected).abs().max().getFloat();
  }
}
