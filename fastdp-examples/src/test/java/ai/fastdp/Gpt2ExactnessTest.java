/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.examples.gpt2.Gpt2;
import ai.fastdp.examples.gpt2.Gpt2Config;
import ai.fastdp.loss.PerSampleLoss;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.Objects;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The example's GPT-2, attention and tied head included, against back-propagation on batches of
 * one.
 *
 * <p>In the package of the engine, for its fixtures.
 */
@Tag("slow")
class Gpt2ExactnessTest {
  private static final int SAMPLES = 7;
  private static final int VOCABULARY = 61;
  private static final int TOKENS = 12;
  private static final double TOLERANCE = 1e-5;

  @ParameterizedTest(name = "automatic clipping: {0}")
  @ValueSource(booleans = {false, true})
  void clippedSum_gpt2_equalsBackPropagationOnBatchesOfOne(boolean automatic) {
    try (Model model = OneStep.model(new Gpt2(Gpt2Config.of(VOCABULARY, TOKENS, 24, 2, 3)))) {
      NDManager manager = model.getNDManager();
      model.getBlock().initialize(manager, DataType.FLOAT32, new Shape(1, TOKENS));
      NDList data = new NDList(OneStep.ids(manager, 1, VOCABULARY, SAMPLES, TOKENS));
      NDArray mask = OneStep.ids(manager, 3, 2, SAMPLES, TOKENS).toType(DataType.FLOAT32, false);
      NDList labels = new NDList(OneStep.ids(manager, 2, VOCABULARY, SAMPLES, TOKENS), mask);
      PerSampleLoss loss = PerSampleLoss.sequenceCrossEntropy();

      BatchOfOneOracle oracle = new BatchOfOneOracle(model.getBlock(), loss::evaluate);
      double[][][] gradients = oracle.gradients(data, labels);
      double[] norms =
          Arrays.stream(gradients).mapToDouble(BatchOfOneOracle::norm).sorted().toArray();
      // Some samples are clipped and some are not.
      double clipNorm = norms[SAMPLES / 2];
      DoubleUnaryOperator factor =
          automatic ? norm -> clipNorm / (norm + 0.01) : norm -> Math.min(1, clipNorm / norm);
      double[][] expected = BatchOfOneOracle.clippedSum(gradients, factor);

      IdentityHashMap<Parameter, double[]> actual =
          OneStep.clippedSum(
              model,
              data,
              labels,
              loss,
              automatic ? ClippingFunction.automatic() : ClippingFunction.abadi(),
              clipNorm,
              PerformanceOptions.defaults().withPhysicalBatchSize(3));
      for (int k = 0; k < expected.length; k++) {
        double[] sum = Objects.requireNonNull(actual.get(oracle.parameters().get(k)));
        assertThat(BatchOfOneOracle.relativeError(sum, expected[k]))
            .as("parameter %s %s", k, oracle.parameters().get(k).getShape())
            .isLessThan(TOLERANCE);
      }
    }
  }
}
