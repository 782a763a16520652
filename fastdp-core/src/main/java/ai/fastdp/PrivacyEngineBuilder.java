/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Device;
import ai.djl.nn.Block;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.listener.TrainingListener;
import ai.fastdp.accounting.ledger.FileLedger;
import ai.fastdp.accounting.ledger.PrivacyLedger;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.internal.hook.SampleAxes;
import ai.fastdp.internal.hook.SampleAxis;
import ai.fastdp.internal.pass.Views;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.rule.GhostRule;
import ai.fastdp.sampling.SequenceLengths;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.function.LongFunction;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Collects the settings of a {@link PrivacyEngine}; none of them but the plan changes what privacy
 * costs.
 */
public final class PrivacyEngineBuilder {
  private final PrivacyPlan plan;
  private final List<Evaluator> evaluators = new ArrayList<>();
  private final List<TrainingListener> listeners = new ArrayList<>();
  private PerSampleLoss loss = PerSampleLoss.softmaxCrossEntropy();
  private PerformanceOptions options = PerformanceOptions.defaults();
  private boolean selfCheck = true;
  private @Nullable SequenceLengths padTo;
  private double lossScale = 1;
  private int viewsPerSample = 1;
  private SampleAxis dataAxis = SampleAxis.FIRST;
  private SampleAxis labelAxis = SampleAxis.FIRST;
  private SampleAxis layerAxis = SampleAxis.FIRST;
  private final Map<String, SampleAxis> layerAxes = new LinkedHashMap<>();
  private final List<String> sampleBySample = new ArrayList<>();
  private List<Device> devices = List.of();
  private @Nullable ExecutorService executor;
  private NoiseSupply noise = NoiseSupply.secure();
  private boolean deviceNoise;
  private LongFunction<? extends RandomGenerator> sampling = secureSampling();
  private @Nullable PrivacyLedger ledger;
  private GhostRules rules = GhostRules.standard();
  private @Nullable Path ledgerFile;
  private @Nullable Path checkpoint;
  private long checkpointEvery;
  private @Nullable TrainingReport report;
  private boolean anyDataSize;
  private boolean otherData;

  PrivacyEngineBuilder(PrivacyPlan plan) {
    this.plan = plan;
  }

  private static LongFunction<RandomGenerator> secureSampling() {
    SecureRandom random = new SecureRandom();
    return step -> random;
  }

  /**
   * Chooses the loss; softmax cross-entropy by default.
   *
   * @param value a loss for each sample
   * @return this builder
   */
  public PrivacyEngineBuilder optLoss(PerSampleLoss value) {
    loss = value;
    return this;
  }

  /**
   * Chooses speed and memory; see {@link PerformanceOptions#defaults()}.
   *
   * @param value the options
   * @return this builder
   */
  public PrivacyEngineBuilder optPerformance(PerformanceOptions value) {
    options = value;
    return this;
  }

  /**
   * Switches the checks that samples do not influence each other and that gradients are right; on
   * by default.
   *
   * <p>On the first batch with two samples, before it is trained on:
   *
   * <ul>
   *   <li>Derivatives: no sample's loss moves with another sample's inputs or activations, for all
   *       pairs of samples of the physical batch.
   *   <li>Values: a sample's loss is the same in the batch, in random parts of it and alone, to
   *       1e-9 where the model can run in float64. This is done in training mode where that is not
   *       random, else in inference mode; a model that is random in both is not compared.
   *   <li>Gradients in other company: so are the samples' gradients, in the same mode; they show
   *       what a layer of zeros hides from losses.
   *   <li>State: a training pass over other samples leaves a sample's loss as it is, in training
   *       and in inference mode, with the same seed of PyTorch's generator; what moves at every
   *       pass must be independent of a random order of the other samples. Parameters, frozen ones
   *       too, are watched in every pass, whether the checks are on or off.
   *   <li>Gradients: those of three samples equal ordinary back-propagation.
   *   <li>Data: four samples have the shapes and values in the batch that they have when they are
   *       loaded alone.
   * </ul>
   *
   * <p>Later, on the second, fourth, eighth ... physical batch, on any with more samples than all
   * before and on any with other axes, a few samples are looked at: the losses of two in other
   * company, of four in batches of 32 and more, the data of two and, but for batches that are
   * larger alone, the derivatives of two. That is about 1 % of the time of 100 steps with physical
   * batches of 16 samples, and less with larger ones.
   *
   * <p>What none of this sees: an influence that only other data would show; one without a
   * derivative in a model that is random in both modes; gradients that depend on the batch in later
   * batches alone; and an influence below 1e-3 of a loss, without a derivative, that the first
   * batch does not show.
   *
   * @param value false to leave them out
   * @return this builder
   */
  public PrivacyEngineBuilder optSelfCheck(boolean value) {
    selfCheck = value;
    return this;
  }

  /**
   * Pads the sequences of every sample to public lengths and cuts longer ones, sample by sample.
   *
   * <p>DJL's padding batchifiers pad to the longest sample of a batch, so that one record changes
   * what the others contribute; without declared lengths they are refused. With them the data set's
   * batchifier works as ever, with its own values of padding and its valid lengths, on lengths that
   * are always the same: {@link ai.djl.translate.PaddingStackBatchifier} on the axes that it pads,
   * any other batchifier but a plain stack on the first axis of every array.
   *
   * @param data the length of sequences in data, at least 1, chosen without looking at the private
   *     data
   * @param labels the length of sequences in labels, likewise
   * @return this builder
   * @throws IllegalArgumentException if a length is below 1
   */
  public PrivacyEngineBuilder optPadTo(long data, long labels) {
    padTo = new SequenceLengths(data, labels);
    return this;
  }

  /**
   * Pads the sequences of every sample, in data and labels, to one public length; see {@link
   * #optPadTo(long, long)}.
   *
   * @param length the length, at least 1
   * @return this builder
   * @throws IllegalArgumentException if it is below 1
   */
  public PrivacyEngineBuilder optPadTo(long length) {
    return optPadTo(length, length);
  }

  /**
   * Multiplies the losses before they are propagated, so that small gradients of a float16 model do
   * not vanish; 1 by default. Norms and sums are divided by it, exactly, before anything is
   * clipped: the result differs only by the rounding of the model's type.
   *
   * <p>A sample whose gradient overflows contributes zero. The scale is fixed: a scale that
   * followed overflows would release private information that no event accounts for.
   *
   * @param value a power of two from 1 to 2^24, chosen without looking at the private data
   * @return this builder
   * @throws IllegalArgumentException if it is not a power of two from 1 to 2^24
   * @see <a href="https://arxiv.org/abs/1710.03740">Micikevicius et al. 2017, section 3.2</a>
   */
  public PrivacyEngineBuilder optLossScale(double value) {
    if (!(value >= 1 && value <= 1 << 24) || Math.scalb(1.0, Math.getExponent(value)) != value) {
      throw new IllegalArgumentException(
          "lossScale must be a power of two in [1, 2^24], got " + value);
    }
    lossScale = value;
    return this;
  }

  /**
   * Declares that a sample of the private data set is an array of views of it, such as augmented
   * images: \(\ell_i = \frac{1}{V} \sum_v \ell(x_{iv}, y_i)\).
   *
   * <p>Data (B, V, ...) go through the model as (B V, ...); the loss gets the views' predictions (B
   * V, ...) with the labels repeated. A sample's gradient is the mean of its views' gradients and
   * is clipped as one, so that views cost no privacy (De et al., arXiv 2204.13650, section 3.2).
   * Physical batch sizes count samples. Predictions with as many rows as labels are samples without
   * views, as in evaluation; evaluators of training batches see the views' predictions.
   *
   * @param value the number of views V, at least 1; 1 by default, where data have no axis of views
   * @return this builder
   */
  public PrivacyEngineBuilder optViewsPerSample(int value) {
    viewsPerSample = value;
    return this;
  }

  /**
   * Declares the axis on which layers of the model have their samples, such as 1 for the
   * activations (T, B, d) of a time-major model. The first axis by default.
   *
   * <p>It holds for the inputs and outputs of all layers that own trainable parameters, and of
   * blocks that run sample by sample. A recurrent layer says by its own {@code batchFirst} where
   * its samples are. A layer that gets something else, as a head (B, d) behind the last time step,
   * has its axis declared by {@link #optSampleAxis(String, int)}. A layer that does not have the
   * batch's samples there is an error that names the layer and the shape.
   *
   * <p>Batches are another matter: see {@link #optBatchAxes}.
   *
   * @param axis the axis, from 0
   * @return this builder
   * @throws IllegalArgumentException if the axis is negative
   */
  public PrivacyEngineBuilder optSampleAxis(int axis) {
    layerAxis = new SampleAxis(axis);
    return this;
  }

  /**
   * Declares the axis of the samples for one layer, or for all layers inside a block; the longest
   * path counts.
   *
   * @param path the names of the children that lead to the block, joined by slashes
   * @param axis the axis, from 0
   * @return this builder
   * @throws IllegalArgumentException if the axis is negative
   */
  public PrivacyEngineBuilder optSampleAxis(String path, int axis) {
    layerAxes.put(path, new SampleAxis(axis));
    return this;
  }

  /**
   * Declares the axes on which the data set's batchifiers put the samples; the first for both by
   * default, as DJL's own do.
   *
   * <p>It holds for every array of a batch. The loss is given predictions and labels as they are
   * and returns one number for each sample: see {@link PerSampleLoss#onSampleAxes}.
   *
   * @param data the axis in data, from 0
   * @param labels the axis in labels, from 0
   * @return this builder
   * @throws IllegalArgumentException if an axis is negative
   */
  public PrivacyEngineBuilder optBatchAxes(int data, int labels) {
    dataAxis = new SampleAxis(data);
    labelAxis = new SampleAxis(labels);
    return this;
  }

  /**
   * Runs blocks sample by sample, whatever they are: a TorchScript block with trainable parameters,
   * a final class, a block that overrides a known layer's forward function or has parameters of its
   * own that no rule knows. Nothing runs this way unless it is named here.
   *
   * <p>It is exact: autograd differentiates every sample's run on its own. It is slow: the block
   * runs B times on one sample in place of once on B, with up to two backward passes each. And it
   * takes memory: the gradients of all B samples by all parameters P of the block, 4 B P bytes, at
   * once, and the graph of the whole model until the gradients are formed. {@link
   * PerformanceOptions#withPhysicalBatchSize} lowers B.
   *
   * <p>A named block has all the blocks inside it run with it, and runs once in a forward pass. All
   * its inputs and outputs must have samples on the declared axis. A block whose class cannot be
   * subclassed gives its place to a wrapper, so a field that holds it must be declared as {@link
   * ai.djl.nn.Block}.
   *
   * @param paths the names of the children that lead to a block, joined by slashes; the class's
   *     simple name for the root
   * @return this builder
   */
  public PrivacyEngineBuilder optSampleBySample(String... paths) {
    sampleBySample.addAll(Arrays.asList(paths));
    return this;
  }

  /**
   * Chooses the device; DJL's first by default.
   *
   * @param value the device
   * @return this builder
   */
  public PrivacyEngineBuilder optDevice(Device value) {
    return optDevices(value);
  }

  /**
   * Splits every micro-batch among several devices of this process. Each sample is clipped on its
   * device; the clipped sums are added on the first device, where the noise is drawn once for the
   * logical step and the weights are updated. The other devices have copies of the parameters.
   *
   * <p>The result differs from that of one device only by the rounding of sums. The shares are
   * started one after the other: several devices bring memory, and some overlap of their work. A
   * physical batch size is that of all devices together.
   *
   * @param values the devices, the model's own first; all of one kind; one may be named several
   *     times
   * @return this builder
   * @throws IllegalArgumentException if there is none; {@code attach} refuses a model on another
   *     device than the first of several
   */
  public PrivacyEngineBuilder optDevices(Device... values) {
    if (values.length == 0) {
      throw new IllegalArgumentException("devices must be at least one, got none");
    }
    devices = List.of(values);
    return this;
  }

  /**
   * Adds a rule for a user's class of blocks, which read the parameters that they own.
   *
   * @param type the class; the rule holds for it and not for its subclasses
   * @param rule how the per-sample gradients of its parameters follow from a use
   * @return this builder
   * @throws IllegalArgumentException if the class has a rule already, or cannot have instances
   */
  public PrivacyEngineBuilder addRule(Class<? extends Block> type, GhostRule rule) {
    rules = rules.with(type, rule);
    return this;
  }

  /**
   * Adds an evaluator; its training values are not private.
   *
   * @param value the evaluator
   * @return this builder
   */
  public PrivacyEngineBuilder addEvaluator(Evaluator value) {
    evaluators.add(value);
    return this;
  }

  /**
   * Adds training listeners.
   *
   * @param values the listeners
   * @return this builder
   */
  public PrivacyEngineBuilder addTrainingListeners(TrainingListener... values) {
    listeners.addAll(Arrays.asList(values));
    return this;
  }

  /**
   * Loads batches ahead on an executor.
   *
   * @param value the executor
   * @return this builder
   */
  public PrivacyEngineBuilder optExecutorService(ExecutorService value) {
    executor = value;
    return this;
  }

  /**
   * Draws the noise by the GPU's own generator in place of the secure stream, which is the default
   * on every device. It is faster on a GPU and <b>not cryptographically secure</b>: the generator
   * is a statistical one (Philox), seeded with 64 bits from {@link SecureRandom} for each run. The
   * privacy statement says so, and a run cannot change between the two.
   *
   * <p>No seed or generator of the user is read or advanced. Not for discrete noise, and refused on
   * a CPU, where PyTorch would use 32 bits of the seed.
   *
   * @return this builder
   * @see ai.fastdp.mechanism.DeviceGaussianMechanism
   */
  public PrivacyEngineBuilder optDeviceNoise() {
    deviceNoise = true;
    return this;
  }

  /**
   * Keeps the ledger in a file, where it survives the process; in the engine's memory by default,
   * for all of the engine's runs. A step is on disk there before its noise is released. The file
   * belongs to one plan: what any run spent counts for all that follow. It is open, and locked,
   * while a trainer is.
   *
   * @param file the ledger, made if there is none
   * @return this builder
   * @see FileLedger
   */
  public PrivacyEngineBuilder optLedger(Path file) {
    ledgerFile = file;
    return this;
  }

  /**
   * Saves checkpoints, each in place of the one before, from which {@link PrivacyEngine#resume}
   * continues; needs {@link #optLedger}.
   *
   * <p>A checkpoint holds the weights, the optimizer's state, the plan and the position in the
   * ledger. It is as private as the weights: nothing in it was computed from the data without
   * noise, and no key of a random source is in it.
   *
   * @param file the checkpoint, a safetensors file
   * @param everySteps how many logical steps lie between two checkpoints, at least 1: with 1 no
   *     step that has returned is ever lost
   * @return this builder
   * @throws IllegalArgumentException if {@code everySteps} is below 1
   */
  public PrivacyEngineBuilder optCheckpoint(Path file, long everySteps) {
    if (everySteps < 1) {
      throw new IllegalArgumentException("everySteps must be >= 1, got " + everySteps);
    }
    checkpoint = file;
    checkpointEvery = everySteps;
    return this;
  }

  /**
   * Writes a line about every step.
   *
   * @param value what to write and where
   * @return this builder
   */
  public PrivacyEngineBuilder optReport(TrainingReport value) {
    report = value;
    return this;
  }

  /**
   * Makes the engine's runs repeatable and <b>not private</b>, for debugging. Nothing may be
   * published of such a run: its epsilon is infinite, and its statement says so.
   *
   * @param value without noise, or with noise of a seed
   * @return this builder
   */
  public PrivacyEngineBuilder optNonPrivate(NonPrivate value) {
    noise = value.noise();
    sampling = value::sampling;
    return this;
  }

  /**
   * Trains on data sets that have more than twice or less than half the samples that the plan
   * declares. The guarantee does not depend on the actual size, as the sample rate is the plan's;
   * the size of updates and the length of an epoch do.
   *
   * @return this builder
   */
  public PrivacyEngineBuilder optAnyDataSize() {
    anyDataSize = true;
    return this;
  }

  /**
   * Declares that the data are not those on which another engine of this process has trained the
   * model: nobody is in both. Without it such a model is refused, as another engine begins another
   * budget. Where the data are the same, or overlap, the epsilons of both engines' statements add
   * up.
   *
   * @return this builder
   */
  public PrivacyEngineBuilder optOtherData() {
    otherData = true;
    return this;
  }

  /** Replaces the ledger in memory; for tests of this package alone. */
  PrivacyEngineBuilder ledger(PrivacyLedger value) {
    ledger = value;
    return this;
  }

  /** Replaces the secure sources by predictable ones; for tests of this package alone. */
  PrivacyEngineBuilder predictable(NoiseSource noiseSource, RandomGenerator samplingSource) {
    return predictable(noiseSource, step -> samplingSource);
  }

  /** Replaces the secure sources, with a source for the batch of each step, numbered from 1. */
  PrivacyEngineBuilder predictable(
      NoiseSource noiseSource, LongFunction<? extends RandomGenerator> samplingSource) {
    noise = NoiseSupply.ofTest(() -> noiseSource);
    sampling = samplingSource;
    return this;
  }

  /**
   * Finishes the engine.
   *
   * @return the engine
   * @throws IllegalArgumentException if settings exclude each other, or ledger, checkpoint and
   *     report are not different files
   * @throws IllegalStateException if there is a checkpoint file and no ledger file
   */
  public PrivacyEngine build() {
    Views views = new Views(viewsPerSample);
    return new PrivacyEngine(
        plan,
        new EngineSettings(
            views.mean(loss),
            options,
            selfCheck,
            padTo,
            lossScale,
            views,
            new SampleAxes(dataAxis, labelAxis, layerAxis, layerAxes),
            sampleBySample,
            devices,
            evaluators,
            listeners,
            executor,
            deviceNoise ? noise.drawnOnDevice() : noise,
            sampling,
            ledger,
            rules,
            new RunFiles(ledgerFile, checkpoint, checkpointEvery, report),
            anyDataSize,
            otherData));
  }
}
