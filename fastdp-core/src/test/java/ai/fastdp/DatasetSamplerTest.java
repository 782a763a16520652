/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Sampler;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Samplers that users have set on their data sets. */
final class DatasetSamplerTest {
  private static final int DECLARED = 6;

  /** Asks for the first sample again and again, as a sampler against imbalance may. */
  private static final class FirstAlone implements Sampler {
    private int asked;

    @Override
    public Iterator<List<Long>> sample(RandomAccessDataset dataset) {
      asked++;
      return List.of(List.of(0L)).iterator();
    }

    @Override
    public int getBatchSize() {
      return 1;
    }
  }

  @Test
  void batches_samplerOfOnesOwn_isRefusedByName() {
    FirstAlone sampler = new FirstAlone();
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine().build().attach(model, new CapturingOptimizer())) {
      assertThatThrownBy(
              () ->
                  trainer.batches(
                      dataset(model.getNDManager(), DECLARED).setSampling(sampler).build()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("sampler of the data set must be one of DJL's", "FirstAlone");
      assertThat(sampler.asked).isZero();
    }
  }

  @Test
  void batches_samplersOfDjl_areReplaced() throws Exception {
    try (Model model = SmallRun.model();
        PrivateTrainer trainer = engine().build().attach(model, new CapturingOptimizer())) {
      ArrayDataset.Builder shuffled =
          dataset(model.getNDManager(), DECLARED).setSampling(2, true, true);
      assertThat(trainer.batches(shuffled.build()).iterator().next().getSize()).isEqualTo(DECLARED);
    }
  }

  private static PrivacyEngineBuilder engine() {
    return OneStep.engine(OneStep.everySample(DECLARED, 1).build(), new SquaredError())
        .optSelfCheck(false);
  }

  private static ArrayDataset.Builder dataset(NDManager manager, int size) {
    return new ArrayDataset.Builder()
        .setData(OneStep.normal(manager, 1, 1, size, 5))
        .optLabels(OneStep.normal(manager, 2, 1, size, 3));
  }
}
