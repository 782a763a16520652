/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.optimizer.AdamW;
import ai.djl.translate.TranslateException;
import ai.fastdp.PerformanceOptions;
import ai.fastdp.PrivacyEngine;
import ai.fastdp.PrivateTrainer;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.examples.training.MeanLoss;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.plan.PrivacyPlan;
import java.io.IOException;
import java.util.Collections;
import java.util.Iterator;

/**
 * Training steps of a model on random samples: the same model, data, loss, loader and optimizer
 * with and without privacy.
 *
 * <p>The private plan samples at rate 1 from a data set as large as the batch, so that every step
 * of either mode has the same number of samples.
 */
final class StepWorkload implements AutoCloseable {
  private static final int SEED = 1;

  private final Model model;
  private final ArrayDataset dataset;
  private final Trainer trainer;
  private Iterator<? extends Batch> batches;

  StepWorkload(
      StepMode mode, ClippingStyle style, StepSubject subject, int batchSize, long noiseAhead) {
    model = Model.newInstance("step");
    model.setBlock(subject.block());
    NDManager manager = model.getNDManager();
    manager.getEngine().setRandomSeed(SEED);
    dataset =
        new ArrayDataset.Builder()
            .setData(subject.data(manager, batchSize))
            .optLabels(subject.labels(manager, batchSize))
            .setSampling(batchSize, true)
            .build();
    if (mode == StepMode.BIAS) {
      model.getBlock().freezeParameters(true, parameter -> !isBias(parameter));
    }
    trainer =
        mode == StepMode.PLAIN
            ? plain(subject.loss())
            : book(style, subject.loss(), batchSize, noiseAhead);
    trainer.initialize(subject.inputShape());
    batches = Collections.emptyIterator();
  }

  private static boolean isBias(Parameter parameter) {
    return parameter.getType() == Parameter.Type.BIAS || parameter.getType() == Parameter.Type.BETA;
  }

  private Trainer plain(PerSampleLoss loss) {
    return model.newTrainer(
        new DefaultTrainingConfig(new MeanLoss(loss)).optOptimizer(AdamW.builder().build()));
  }

  private PrivateTrainer book(
      ClippingStyle style, PerSampleLoss loss, int batchSize, long noiseAhead) {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(batchSize)
            .setBatchSize(batchSize)
            .setSteps(1_000_000)
            .setNoiseMultiplier(1)
            .setDelta(1e-5)
            .optLargeEpsilon() // all samples in each of many steps: what is measured is time
            .setClipNorm(1)
            .optStyle(style)
            .build();
    return PrivacyEngine.builder(plan)
        .optLoss(loss)
        .optPerformance(
            PerformanceOptions.defaults()
                .withPhysicalBatchSize(batchSize)
                .withNoiseAheadBytes(noiseAhead))
        .build()
        .attach(model, DpAdamW.builder().build());
  }

  /** Runs one step, loading included, and returns its time in nanoseconds. */
  long step() throws IOException, TranslateException {
    long begin = System.nanoTime();
    if (!batches.hasNext()) {
      batches = trainer.iterateDataset(dataset).iterator();
    }
    try (Batch batch = batches.next()) {
      EasyTrain.trainBatch(trainer, batch);
      trainer.step();
    }
    return System.nanoTime() - begin;
  }

  @Override
  public void close() {
    trainer.close();
    model.close();
  }
}
