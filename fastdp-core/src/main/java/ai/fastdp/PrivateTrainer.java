/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.TranslateException;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.ledger.PrivacyBudgetExceededException;
import ai.fastdp.accounting.statement.PrivacyStatement;
import ai.fastdp.internal.step.Replicas;
import ai.fastdp.internal.step.Share;
import ai.fastdp.plan.ClippingState;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A DJL trainer whose steps are differentially private.
 *
 * <p>DJL's training loops run unchanged, {@code EasyTrain.fit} among them:
 *
 * <pre>{@code
 * for (PrivateBatch batch : trainer.batches(dataset)) {
 *   EasyTrain.trainBatch(trainer, batch); // or trainer.trainBatch(batch)
 *   trainer.step();
 *   batch.close();
 * }
 * }</pre>
 *
 * <p>Batches come from {@link #batches} or {@link #iterateDataset} and from nowhere else: they are
 * drawn by Poisson sampling at the plan's rate. A logical batch larger than the physical batch size
 * comes in several micro-batches; {@link #step()} updates the weights after the last of them and
 * does nothing after the others. Before the first of them is handed out the step is charged to the
 * ledger; where it would exceed the budget, the loop that asks for it gets an exception and no
 * batch.
 *
 * <p>Training losses, evaluators' training values and batch sizes are computed from private data
 * without noise: only those who may see the data may see them. The weights, {@link #spent()} and
 * everything computed from these are private in the sense of the plan.
 *
 * <p>With a ledger in a file and checkpoints (see {@link PrivacyEngine}) a run that ended early
 * continues from its newest checkpoint. The steps that came after the checkpoint are lost and stay
 * charged: {@link #stepsCharged()} counts them, {@link #stepsTaken()} does not, and the run ends
 * when all steps of the plan have been charged.
 *
 * <p>With several devices a micro-batch is split among them: its shares go through the model one
 * after the other, each sample is clipped on its share's device, and the clipped sums are added up
 * before the step's only draw of noise. {@link #getExecutorService()} is empty then, as DJL's loops
 * would not wait for shares that run on it; batches are still loaded ahead on the executor.
 *
 * <p>Not thread-safe.
 */
public final class PrivateTrainer extends Trainer {
  private final @Nullable TrainingRun run;
  private @Nullable GradientCollector collector;

  PrivateTrainer(Attachment parts, Model model, TrainingConfig config) {
    super(model, config);
    run = new TrainingRun(parts);
    if (getModel().getBlock().isInitialized()) {
      run().restore(getModel().getBlock());
    }
  }

  private TrainingRun run() {
    return Objects.requireNonNull(run);
  }

  /**
   * Gives the model's parameters arrays, or those of the checkpoint from which the run continues.
   *
   * @param shapes the shapes of a batch of data
   */
  @Override
  public void initialize(Shape... shapes) {
    super.initialize(shapes);
    run().restore(getModel().getBlock());
  }

  /**
   * Draws the rest of the plan's steps as micro-batches.
   *
   * <p>The sampler that the data set was built with is not used, nor its batch size: every sample
   * enters a logical batch with the plan's sample rate, independently of all others. DJL's own
   * samplers are replaced silently; a sampler of a user's class is refused.
   *
   * <p>A logical batch that has been drawn is the batch of its step until the step is complete. A
   * loop that breaks off, after an exception, say, and calls this method again gets the same
   * samples again. The step is charged before the first of its micro-batches is handed out, and
   * stays charged if the loop ends, fails or is killed before {@link #step()}.
   *
   * @param dataset the private data set
   * @return the batches, drawn as they are asked for
   * @throws IOException if the data set cannot be read
   * @throws TranslateException if the data set's pipeline fails
   * @throws IllegalArgumentException if the data set has more than twice or less than half the
   *     samples that the plan declares, unless the engine was told {@code optAnyDataSize()}
   * @throws PrivacyBudgetExceededException if all steps of the plan have been taken
   */
  public Iterable<PrivateBatch> batches(RandomAccessDataset dataset)
      throws IOException, TranslateException {
    return draw(dataset, run().record().left(), batch -> batch);
  }

  /**
   * Draws the steps up to the next whole epoch, which are one pass over the data set in
   * expectation. The k-th epoch ends with step \(\lceil k N / B \rceil\), and the last one with the
   * plan.
   *
   * <p>DJL's loops ask for their validation data here as well. {@code EasyTrain.fit} trains on the
   * data set that it is given to train on, whichever object that is; {@code
   * EasyTrain.evaluateDataset} evaluates any data set, the training data included, before, between
   * and after training: it gets the data set's own ordinary batches, which can be evaluated and
   * cannot be trained. Any other loop that calls this method gets private batches of the first data
   * set that it asks for, and ordinary batches of any other.
   *
   * @param dataset the private data set, a {@link RandomAccessDataset}, or another one to evaluate
   * @return the micro-batches, drawn as they are asked for
   * @throws IllegalArgumentException if the private data set has no random access
   * @throws PrivacyBudgetExceededException if all steps of the plan have been taken
   */
  @Override
  public Iterable<Batch> iterateDataset(Dataset dataset) throws IOException, TranslateException {
    if (run().source().isEvaluated(dataset)) {
      return super.iterateDataset(dataset);
    }
    if (!(dataset instanceof RandomAccessDataset indexed)) {
      throw new IllegalArgumentException(
          "dataset must be a RandomAccessDataset for Poisson sampling, got "
              + dataset.getClass().getName());
    }
    return draw(indexed, run().record().leftInEpoch(), batch -> batch);
  }

  private <B extends Batch> Iterable<B> draw(
      RandomAccessDataset dataset, long steps, Function<PrivateBatch, B> type)
      throws IOException, TranslateException {
    // Batches are loaded ahead with several devices, too.
    ExecutorService executor = super.getExecutorService().orElse(null);
    return run().draw(dataset, steps, getManager(), executor, type);
  }

  /**
   * Adds a batch's clipped gradients to the step's sum; call {@link #step()} next.
   *
   * @param next a batch from {@link #batches}
   */
  public void trainBatch(PrivateBatch next) {
    run().requireCurrent(next);
    if (next.isEmpty()) {
      return;
    }
    try (GradientCollector gradients = newGradientCollector()) {
      for (Batch part : next.split(getDevices(), false)) {
        NDList predictions = forward(part.getData(), part.getLabels());
        gradients.backward(getLoss().evaluate(part.getLabels(), predictions));
      }
    }
  }

  /**
   * {@return a collector whose {@code backward} takes what {@code getLoss()} returned, and clips
   * and sums per-sample gradients}
   */
  @Override
  public GradientCollector newGradientCollector() {
    run().requireUsable();
    GradientCollector gradientMode = super.newGradientCollector();
    collector = gradientMode;
    return new BookKeepingCollector(gradientMode);
  }

  /**
   * Refuses a pass without labels, which the self-check needs.
   *
   * @param input ignored
   * @return never
   * @throws UnsupportedOperationException always
   */
  @Override
  public NDList forward(NDList input) {
    throw new UnsupportedOperationException(
        "forward(data) must be given the labels too; call forward(data, labels), or evaluate(data)"
            + " for inference");
  }

  /**
   * Runs the model on a batch of the current step, recording what its gradients need.
   *
   * @param data the data of a batch from {@link #batches} or {@link #iterateDataset}; with several
   *     devices, of one of the shares that {@link PrivateBatch#split} makes for {@link #getDevices}
   * @param labels the labels of that batch or share
   * @return the model's outputs
   * @throws IllegalArgumentException if the data come from anywhere else
   * @throws IllegalStateException if the model fails the self-check, or the call is out of order
   */
  @Override
  public NDList forward(NDList data, NDList labels) {
    run().requireUsable();
    Share next = run().shareOf(data, labels);
    if (collector == null) {
      throw new IllegalStateException(
          "forward must run inside a gradient collector; open newGradientCollector() first, or call"
              + " evaluate(data) for inference");
    }
    run().passes().prepare(getManager(), data, labels);
    long begin = System.nanoTime();
    try {
      return run().forward(next, getManager(), data, labels);
    } finally {
      addMetric("forward", begin);
    }
  }

  /**
   * Adds the noise and updates the weights if the logical batch is complete; after any other
   * micro-batch it does nothing. A checkpoint that is due is on disk when this returns.
   *
   * @throws IllegalStateException if the batch has not been trained
   */
  @Override
  public void step() {
    long begin = System.nanoTime();
    if (run().step()) {
      addMetric("step", begin);
    }
  }

  /**
   * Saves a checkpoint now; steps write them by themselves as the engine's builder was told, and
   * {@link #detach()} and {@link #close()} save what is left.
   *
   * @throws IllegalStateException if the engine has no checkpoint file, a step has failed, or one
   *     is under way
   */
  public void saveCheckpoint() {
    run().saveCheckpoint();
  }

  /** {@return the devices of the training, the model's first} */
  @Override
  public Device[] getDevices() {
    // DJL's constructor tells listeners of the trainer before it has a run.
    return run == null ? super.getDevices() : run.replicas().devices();
  }

  /** {@return the executor that DJL's loops may train on: none with several devices} */
  @Override
  public Optional<ExecutorService> getExecutorService() {
    return run != null && run.replicas().areSeveral()
        ? Optional.empty()
        : super.getExecutorService();
  }

  /**
   * Runs the model for inference, on the device of the input.
   *
   * @param input the input
   * @return the model's outputs
   */
  @Override
  public NDList evaluate(NDList input) {
    Replicas replicas = run().replicas();
    return run()
        .passes()
        .evaluate(
            () ->
                replicas.areSeveral()
                    ? replicas.evaluate(getModel().getBlock(), input)
                    : super.evaluate(input));
  }

  /** Returns the paths of the blocks behind which the graph is cut. */
  List<String> cutPaths() {
    return run().passes().cutPaths();
  }

  /** {@return the plan of this run} */
  public PrivacyPlan plan() {
    return run().record().plan();
  }

  /** {@return the logical steps that the weights have taken, those before a checkpoint included} */
  public long stepsTaken() {
    return run().record().taken();
  }

  /**
   * {@return the number of logical steps that the ledger holds}
   *
   * <p>It is larger than {@link #stepsTaken()} by the step under way, by those that were given up,
   * and by those that an earlier run charged and could not save.
   */
  public long stepsCharged() {
    return run().record().charged();
  }

  /**
   * {@return what clipping has learned from private answers: the clip norm of the step under way or
   * of the next one}
   *
   * <p>Checkpoints keep it.
   */
  public ClippingState clippingState() {
    return run().record().clipping();
  }

  /** {@return the bound on the epsilon spent so far, at the budget's delta} */
  public EpsilonBound spent() {
    return run().record().spent();
  }

  /**
   * States what may be claimed of the run so far. The statement is made of the events that the
   * ledger holds, those of earlier runs on it and of lost steps included. It can be made at any
   * step and after the trainer was closed.
   *
   * @param unit whose privacy it is, in the singular: what a sample of the data set stands for,
   *     such as {@code record} or {@code patient}
   * @return the statement, with {@link PrivacyStatement#toJson()} and {@link
   *     PrivacyStatement#toProse()}
   * @throws IllegalArgumentException if {@code unit} has quotes, backslashes or control characters
   */
  public PrivacyStatement statement(String unit) {
    return run().record().statement(unit);
  }

  /**
   * {@return how many times, since the trainer was made, a sample's gradient was not finite and
   * contributed nothing; with several groups, nothing to those where it was not finite}
   *
   * <p>The count is not private: only those who may see the data may see it, and no checkpoint
   * keeps it.
   */
  public long nonFiniteSamples() {
    return run().passes().nonFiniteSamples();
  }

  /**
   * Puts the model's own layers back; the trainer cannot train any more. Completed steps that no
   * checkpoint holds yet are saved first, if the run has checkpoints.
   *
   * <p>A step whose batch was handed out and is not complete stays charged: its sample has been
   * seen, and dropping it for nothing would let batches be chosen by what is in them. That holds
   * for a batch on which the data set, the model or the loss failed, too.
   */
  public void detach() {
    run().detach();
  }

  /** Ends the training, detaches the model and releases the trainer's memory. */
  @Override
  public void close() {
    if (getManager().isOpen()) {
      try {
        run().end();
      } finally {
        run().close();
        super.close();
        run().releaseMemory();
      }
    }
  }

  private final class BookKeepingCollector implements GradientCollector {
    private final GradientCollector gradientMode;

    BookKeepingCollector(GradientCollector gradientMode) {
      this.gradientMode = gradientMode;
    }

    @Override
    public void backward(NDArray target) {
      long begin = System.nanoTime();
      run().backward(target);
      addMetric("backward", begin);
    }

    @Override
    public void zeroGradients() {
      // Weights carry no gradients here; the step's sum is cleared by the trainer alone.
    }

    @Override
    public void close() {
      collector = null;
      gradientMode.close();
    }
  }
}
