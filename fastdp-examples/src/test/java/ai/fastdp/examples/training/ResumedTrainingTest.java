/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.PredictableEngine;
import ai.fastdp.examples.gpt2.Gpt2;
import ai.fastdp.examples.gpt2.Gpt2Config;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.plan.PrivacyPlan;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples' private training, stopped in between and gone on with. */
@Tag("slow")
final class ResumedTrainingTest {
  private static final int SAMPLES = 40;
  private static final int TOKENS = 6;
  private static final int VOCABULARY = 13;
  private static final int STEPS = 9;
  private static final FineTuning FINE_TUNING =
      new FineTuning(
          SAMPLES, true, 20, 4, STEPS, 0.01, 5, 1e-3, 1, TrainingOptions.Clipping.AUTOMATIC);
  private static final PrivacyPlan PLAN = PrivateTraining.plan(FINE_TUNING);

  @TempDir
  @SuppressWarnings("NullAway.Init") // by JUnit
  private Path directory;

  /** The end of a process, as far as a test in the process can have it. */
  private static final class Stop extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  /** Stops the run after so many evaluations. */
  private static final class CountedLoss implements PerSampleLoss {
    private final int most;
    private int evaluations;

    CountedLoss(int most) {
      this.most = most;
    }

    @Override
    public NDArray evaluate(NDList labels, NDList predictions) {
      if (evaluations++ == most) {
        throw new Stop();
      }
      return PerSampleLoss.sequenceCrossEntropy().evaluate(labels, predictions);
    }
  }

  @Test
  void run_failedTwiceInTheMidstOfAStep_takesTheStepsThatAreLeft() {
    CountedLoss counting = new CountedLoss(Integer.MAX_VALUE);
    List<Integer> bits = new ArrayList<>();
    PrivateTraining.Result whole = run(files("whole", false), counting, bits);
    assertThat(whole.stepsTaken()).isEqualTo(STEPS);
    // By the number of their micro-batches. A step whose sample was seen is charged.
    CountedLoss third = new CountedLoss(counting.evaluations / 3);
    assertThatThrownBy(() -> run(files("parts", false), third, bits)).isInstanceOf(Stop.class);
    CountedLoss second = new CountedLoss(counting.evaluations / 3);
    assertThatThrownBy(() -> run(files("parts", true), second, bits)).isInstanceOf(Stop.class);
    PrivateTraining.Result parts =
        run(files("parts", true), new CountedLoss(Integer.MAX_VALUE), bits);
    assertThat(parts.stepsTaken()).isEqualTo(STEPS - 2);
    assertThat(parts.stepsCharged()).isEqualTo(STEPS);
    assertThat(parts.epsilon()).isEqualTo(whole.epsilon());
  }

  @Test
  void run_afterTheLastStep_isRefusedAndLeavesTheSavedWeights() {
    List<Integer> expected = new ArrayList<>();
    PrivateTraining.Result first =
        run(files("run", false), new CountedLoss(Integer.MAX_VALUE), expected);
    List<Integer> actual = new ArrayList<>();
    PrivateTraining.Result again =
        run(files("run", true), new CountedLoss(Integer.MAX_VALUE), actual);
    assertThat(again.refusal()).contains("steps must be <= 9, got a request for more");
    assertThat(again.stepsTaken()).isEqualTo(STEPS);
    assertThat(again.epsilon()).isEqualTo(first.epsilon()).isLessThanOrEqualTo(5);
    assertThat(actual).isEqualTo(expected);
  }

  private RunFiles files(String name, boolean resumed) {
    return new RunFiles(directory.resolve(name), 2, resumed);
  }

  /** Trains a new model and adds its weights' bits to a list. */
  private static PrivateTraining.Result run(
      RunFiles files, PerSampleLoss loss, List<Integer> bits) {
    try (Model model = model();
        NDManager data = model.getNDManager().newSubManager();
        TrainingProgress progress = new TrainingProgress("test", STEPS)) {
      TrainingJob job =
          new TrainingJob(
              model,
              new ArrayDataset.Builder()
                  .setData(ids(data, 1))
                  .optLabels(ids(data, 2))
                  .setSampling(10, true)
                  .build(),
              loss,
              new Shape(1, TOKENS),
              1);
      PrivateTraining.Result result =
          PrivateTraining.run(
              PredictableEngine.seeded(PrivateTraining.engine(job, PLAN, FINE_TUNING, files), 5)
                  .optSelfCheck(false)
                  .build(),
              job,
              FINE_TUNING,
              files,
              progress);
      for (Parameter parameter : model.getBlock().getParameters().values()) {
        for (float value : parameter.getArray().toFloatArray()) {
          bits.add(Float.floatToRawIntBits(value));
        }
      }
      return result;
    }
  }

  private static Model model() {
    Engine.getEngine("PyTorch").setRandomSeed(7);
    Model model = Model.newInstance("test", "PyTorch");
    Gpt2 block = new Gpt2(Gpt2Config.of(VOCABULARY, TOKENS, 8, 1, 2));
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, TOKENS));
    model.setBlock(block);
    return model;
  }

  private static NDArray ids(NDManager manager, long seed) {
    long[] ids = new Random(seed).longs(SAMPLES * TOKENS, 0, VOCABULARY).toArray();
    return manager.create(ids, new Shape(SAMPLES, TOKENS));
  }
}
