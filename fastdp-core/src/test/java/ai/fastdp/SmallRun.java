/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.dataset.ArrayDataset;
import ai.fastdp.mechanism.PredictableNoise;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.PrivacyPlanBuilder;
import ai.fastdp.sampling.PrivateBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** A small model, its data and the files of its run. */
final class SmallRun {
  static final int SAMPLES = 40;
  static final long SEED = 17;

  private final Path directory;

  SmallRun(Path directory) {
    this.directory = directory;
  }

  Path ledger() {
    return directory.resolve("ledger");
  }

  Path checkpoint() {
    return directory.resolve("checkpoint.safetensors");
  }

  /** A plan whose batches have about eight samples, and some have none of the first ones. */
  static PrivacyPlanBuilder plan(long steps) {
    return PrivacyPlan.builder()
        .setDatasetSize(SAMPLES)
        .setBatchSize(8)
        .setSteps(steps)
        .setNoiseMultiplier(1)
        .setDelta(1e-5)
        .setClipNorm(1);
  }

  /** With the files of this run, and the sources of the tests' seed. */
  PrivacyEngineBuilder engine(PrivacyPlan plan, long every) {
    return secureEngine(plan, every)
        .predictable(PredictableNoise.seeded(SEED), step -> new Random(SEED * 31 + step));
  }

  /** With the files of this run, and the sources that users have. */
  PrivacyEngineBuilder secureEngine(PrivacyPlan plan, long every) {
    return PrivacyEngine.builder(plan)
        .optLoss(new SquaredError())
        .optSelfCheck(false)
        .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(3))
        .optLedger(ledger())
        .optCheckpoint(checkpoint(), every);
  }

  static Block block() {
    return new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
        .part("a", Recipe.linear(4), 5)
        .part("b", Recipe.linear(3), 4);
  }

  /** A model whose weights have not been made. */
  static Model bareModel() {
    return OneStep.model(block());
  }

  /** A model whose weights are the same every time. */
  static Model model() {
    Model model = bareModel();
    model.getBlock().initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 5));
    long seed = 1;
    for (Parameter parameter : model.getBlock().getParameters().values()) {
      float[] values = new float[Math.toIntExact(parameter.getArray().size())];
      Random random = new Random(seed++);
      for (int j = 0; j < values.length; j++) {
        values[j] = (float) random.nextGaussian();
      }
      parameter.getArray().set(values);
    }
    return model;
  }

  static ArrayDataset dataset(NDManager manager) {
    return OneStep.dataset(
        new NDList(OneStep.normal(manager, 3, 1, SAMPLES, 5)),
        new NDList(OneStep.normal(manager, 4, 1, SAMPLES, 3)));
  }

  /** Takes steps until so many have been taken, or all. */
  static void train(PrivateTrainer trainer, long until, Consumer<PrivateTrainer> afterStep)
      throws Exception {
    if (trainer.stepsTaken() >= until) {
      return;
    }
    trainOn(trainer, dataset(trainer.getManager()), until, afterStep);
  }

  static void trainOn(PrivateTrainer trainer, ArrayDataset dataset, long until) throws Exception {
    trainOn(trainer, dataset, until, ignored -> {});
  }

  private static void trainOn(
      PrivateTrainer trainer, ArrayDataset dataset, long until, Consumer<PrivateTrainer> afterStep)
      throws Exception {
    for (PrivateBatch batch : trainer.batches(dataset)) {
      trainer.trainBatch(batch);
      trainer.step();
      batch.close();
      if (batch.endsStep()) {
        afterStep.accept(trainer);
        if (trainer.stepsTaken() >= until) {
          return;
        }
      }
    }
  }

  static void train(PrivateTrainer trainer, long until) throws Exception {
    train(trainer, until, ignored -> {});
  }

  static List<Integer> bits(Model model) {
    List<Integer> bits = new ArrayList<>();
    for (Parameter parameter : model.getBlock().getParameters().values()) {
      float[] values = parameter.getArray().toFloatArray();
      for (float value : values) {
        bits.add(Float.floatToRawIntBits(value));
      }
    }
    return bits;
  }

  /** The files as they are now, as a crash would leave them, without their locks. */
  SmallRun copy(Path target) {
    try (Stream<Path> files = Files.list(directory)) {
      Files.createDirectories(target);
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, target.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
      }
      return new SmallRun(target);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The last line of the ledger is dropped, as if the process had died before it. */
  void dropLastRecord() throws IOException {
    List<String> lines = Files.readAllLines(ledger());
    lines.remove(lines.size() - 1);
    String newest = lines.get(lines.size() - 1);
    Files.write(ledger(), lines);
    Files.writeString(
        directory.resolve("ledger.head"),
        lines.size() + " " + newest.substring(newest.lastIndexOf('\t') + 1) + "\n");
  }
}
