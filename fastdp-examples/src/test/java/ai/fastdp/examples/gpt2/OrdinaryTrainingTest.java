/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.examples.training.OrdinaryTraining;
import ai.fastdp.examples.training.Summary;
import ai.fastdp.examples.training.TrainingJob;
import ai.fastdp.examples.training.TrainingProgress;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class OrdinaryTrainingTest {

  private static final int LENGTH = 96;
  private static final TextTokenizer BYTES = new ByteTokenizer();
  private static final List<TextExample> EXAMPLES =
      RestaurantGrammar.PUBLIC.draw(new Random(1), 48);

  @Test
  void run_fewSteps_lowersTheLoss() {
    try (Model model = newModel();
        NDManager scope = model.getNDManager().newSubManager()) {
      ArrayDataset dataset = dataset(scope, 16);
      double before = HeldOutLoss.measure(model, dataset);
      train(model, dataset, 16, 40);
      assertThat(before).isBetween(5.3, 5.8); // ln 257 = 5.55
      assertThat(HeldOutLoss.measure(model, dataset)).isLessThan(before - 2);
    }
  }

  @Test
  void run_smallerPhysicalBatches_sameWeights() {
    try (Model whole = newModel();
        Model parts = newModel();
        NDManager scope = whole.getNDManager().newSubManager()) {
      train(whole, dataset(scope, 24), 24, 2);
      train(parts, dataset(scope, 24), 7, 2);
      List<NDArray> expected = weights(whole);
      List<NDArray> actual = weights(parts);
      for (int i = 0; i < expected.size(); i++) {
        NDArray difference = actual.get(i).sub(expected.get(i)).abs();
        // Adam divides by the gradient's size, so that rounding shows where a gradient is tiny.
        assertThat(difference.mean().getFloat()).isLessThan(2e-5f);
      }
    }
  }

  @Test
  void measure_sizeOfTheBatches_changesNothing() {
    try (Model model = newModel();
        NDManager scope = model.getNDManager().newSubManager()) {
      double whole = HeldOutLoss.measure(model, dataset(scope, 48));
      double uneven = HeldOutLoss.measure(model, dataset(scope, 7));
      assertThat(uneven).isCloseTo(whole, within(1e-5));
    }
  }

  private static void train(Model model, ArrayDataset dataset, int physicalBatchSize, int steps) {
    try (TrainingProgress progress = new TrainingProgress("test", steps)) {
      OrdinaryTraining.run(
          new TrainingJob(model, dataset, HeldOutLoss.PER_SAMPLE, new Shape(1, 1), 1),
          new OrdinaryTraining.Schedule(steps, physicalBatchSize, 3e-3),
          progress);
      Summary.StepMillis millis = progress.stepMillis();
      assertThat(millis.min()).isPositive().isLessThanOrEqualTo(millis.median());
      assertThat(millis.median()).isLessThanOrEqualTo(millis.max());
    }
  }

  private static ArrayDataset dataset(NDManager manager, int batchSize) {
    return EncodedExample.dataset(manager, EXAMPLES, BYTES, LENGTH, batchSize, false);
  }

  private static Model newModel() {
    Model model = Model.newInstance("test", "PyTorch");
    model.getNDManager().getEngine().setRandomSeed(11);
    model.setBlock(new Gpt2(Gpt2Config.of(257, LENGTH, 32, 2, 2)));
    model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, LENGTH));
    return model;
  }

  private static List<NDArray> weights(Model model) {
    List<NDArray> arrays = new ArrayList<>();
    model.getBlock().getParameters().values().forEach(p -> arrays.add(p.getArray()));
    return arrays;
  }
}
