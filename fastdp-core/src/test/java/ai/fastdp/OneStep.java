/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.TranslateException;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.PrivacyPlanBuilder;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.IdentityHashMap;
import java.util.Random;

/** One step of the public engine on all samples of a data set, with noise of exactly zero. */
public final class OneStep {
  private OneStep() {}

  static Model model(Block block) {
    Model model = Model.newInstance("test", "PyTorch");
    model.setBlock(block);
    return model;
  }

  static ArrayDataset dataset(NDList data, NDList labels) {
    return new ArrayDataset.Builder()
        .setData(data.toArray(NDArray[]::new))
        .optLabels(labels.toArray(NDArray[]::new))
        .setSampling(1, false)
        .build();
  }

  /** A plan that takes every sample in every step. */
  static PrivacyPlanBuilder everySample(long samples, double clipNorm) {
    return everySample(samples, 100, 1).setClipNorm(clipNorm);
  }

  /** The same without a clip norm. */
  static PrivacyPlanBuilder everySample(long samples, long steps, double noiseMultiplier) {
    return PrivacyPlan.builder()
        .setDatasetSize(samples)
        .setSampleRate(1)
        .setSteps(steps)
        .setNoiseMultiplier(noiseMultiplier)
        .setDelta(1e-5)
        .optLargeEpsilon();
  }

  static PrivacyEngineBuilder engine(PrivacyPlan plan, PerSampleLoss loss) {
    return PrivacyEngine.builder(plan)
        .optLoss(loss)
        .predictable(PredictableNoise.none(), new Random(1));
  }

  /** The clipped sum of all samples, by parameter. */
  static IdentityHashMap<Parameter, double[]> clippedSum(
      Model model,
      NDList data,
      NDList labels,
      PerSampleLoss loss,
      ClippingFunction clipping,
      double clipNorm,
      PerformanceOptions options) {
    long samples = data.head().getShape().get(0);
    PrivacyPlan plan = everySample(samples, clipNorm).optClipping(clipping).build();
    return firstStep(
        model, data, labels, engine(plan, loss).optPerformance(options).optSelfCheck(false));
  }

  /** The clipped sum of all samples in the first step of an engine, by parameter. */
  static IdentityHashMap<Parameter, double[]> firstStep(
      Model model, NDList data, NDList labels, PrivacyEngineBuilder engine) {
    return firstStep(model, dataset(data, labels), data.head().getShape().get(0), engine);
  }

  /** The clipped sum of all samples of a data set in the first step of an engine. */
  static IdentityHashMap<Parameter, double[]> firstStep(
      Model model, RandomAccessDataset dataset, long samples, PrivacyEngineBuilder engine) {
    CapturingOptimizer optimizer = new CapturingOptimizer();
    try (PrivateTrainer trainer = engine.build().attach(model, optimizer)) {
      for (PrivateBatch batch : trainer.batches(dataset)) {
        trainer.trainBatch(batch);
        trainer.step();
        batch.close();
        if (optimizer.updates == 1) {
          break;
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (TranslateException e) {
      throw new IllegalStateException(e);
    }
    IdentityHashMap<Parameter, double[]> sums = new IdentityHashMap<>();
    optimizer.gradients.forEach(
        (parameter, gradient) -> {
          double[] sum = BatchOfOneOracle.widened(gradient);
          for (int j = 0; j < sum.length; j++) {
            sum[j] *= samples;
          }
          sums.put(parameter, sum);
        });
    return sums;
  }

  public static NDArray normal(NDManager manager, long seed, float scale, long... shape) {
    Random random = new Random(seed);
    ai.djl.ndarray.types.Shape wanted = new ai.djl.ndarray.types.Shape(shape);
    float[] values = new float[Math.toIntExact(wanted.size())];
    for (int j = 0; j < values.length; j++) {
      values[j] = scale * (float) random.nextGaussian();
    }
    return manager.create(values, wanted);
  }

  public static NDArray ids(NDManager manager, long seed, int bound, long... shape) {
    Random random = new Random(seed);
    ai.djl.ndarray.types.Shape wanted = new ai.djl.ndarray.types.Shape(shape);
    long[] values = new long[Math.toIntExact(wanted.size())];
    for (int j = 0; j < values.length; j++) {
      values[j] = random.nextInt(bound);
    }
    return manager.create(values, wanted);
  }
}
