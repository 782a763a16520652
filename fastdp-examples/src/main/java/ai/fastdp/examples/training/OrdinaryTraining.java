/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.optimizer.AdamW;
import ai.djl.translate.TranslateException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.OptionalDouble;

/**
 * Training without privacy, with nothing but DJL's own trainer and optimizer: for public text, and
 * to compare with.
 */
public final class OrdinaryTraining {

  private OrdinaryTraining() {}

  /**
   * Trains with AdamW; the learning rate is {@link LearningRate#riseAndFall}.
   *
   * @param job what is trained
   * @param schedule how many steps, and how
   * @param progress is told of each step
   */
  public static void run(TrainingJob job, Schedule schedule, TrainingProgress progress) {
    Model model = job.model();
    DefaultTrainingConfig config =
        new DefaultTrainingConfig(new MeanLoss(job.loss()))
            .optDevices(new Device[] {model.getNDManager().getDevice()})
            .optOptimizer(
                AdamW.builder()
                    .optLearningRateTracker(
                        LearningRate.riseAndFall(schedule.learningRate, schedule.steps))
                    .build());
    try (Trainer trainer = model.newTrainer(config)) {
      trainer.initialize(job.inputShape());
      Iterator<Batch> batches = null;
      for (int step = 0; step < schedule.steps; step++) {
        long begin = System.nanoTime();
        if (batches == null || !batches.hasNext()) {
          batches = trainer.iterateDataset(job.dataset()).iterator();
        }
        try (Batch batch = batches.next()) {
          double loss = gradients(trainer, batch, schedule.physicalBatchSize, job.views());
          trainer.step();
          double millis = (System.nanoTime() - begin) / 1e6;
          progress.step(millis, loss, batch.getSize(), OptionalDouble.empty());
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (TranslateException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Adds up the gradient of the mean loss of a batch, and returns that loss. */
  private static double gradients(Trainer trainer, Batch batch, int physicalBatchSize, int views) {
    int size = batch.getSize();
    double total = 0;
    for (int from = 0; from < size; from += physicalBatchSize) {
      int to = Math.min(size, from + physicalBatchSize);
      try (NDManager scope = trainer.getManager().newSubManager();
          GradientCollector collector = trainer.newGradientCollector()) {
        NDList labels = slice(batch.getLabels(), scope, from, to);
        NDList data = slice(batch.getData(), scope, from, to);
        if (views > 1) {
          labels.replaceAll(array -> array.repeat(0, views));
          data.replaceAll(array -> array.reshape(rows(array.getShape())));
        }
        NDList logits = trainer.forward(data);
        NDArray loss = trainer.getLoss().evaluate(labels, logits).mul((float) (to - from) / size);
        collector.backward(loss);
        total += loss.getFloat();
      }
    }
    return total;
  }

  /** The shape (B V, ...) of views of shape (B, V, ...). */
  private static Shape rows(Shape views) {
    return new Shape(views.get(0) * views.get(1)).addAll(views.slice(2));
  }

  private static NDList slice(NDList arrays, NDManager manager, long from, long to) {
    NDList slices = new NDList(arrays.size());
    for (NDArray array : arrays) {
      slices.add(array.get(manager, new NDIndex().addSliceDim(from, to)));
    }
    return slices;
  }

  /**
   * How long and how fast to train.
   *
   * @param steps number of updates
   * @param physicalBatchSize samples that go through the model at once
   * @param learningRate the largest learning rate
   */
  public record Schedule(int steps, int physicalBatchSize, double learningRate) {}
}
