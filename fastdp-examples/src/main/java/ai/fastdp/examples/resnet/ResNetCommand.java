/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.fastdp.examples.training.ExampleCommand;
import ai.fastdp.examples.training.FineTuner;
import ai.fastdp.examples.training.Guarantee;
import ai.fastdp.examples.training.Report;
import ai.fastdp.examples.training.Score;
import ai.fastdp.examples.training.TrainingJob;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Objects;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Trains a residual network with differential privacy. */
@Command(
    name = ResNetCommand.NAME,
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Trains a residual network with differential privacy. Without options it needs no files: it"
            + " trains DJL's ResNetV1, its BatchNorm replaced by GroupNorm, on images that it"
            + " draws, to epsilon 8, in a few minutes.")
public final class ResNetCommand extends ExampleCommand {

  static final String NAME = "resnet";

  private static final Guarantee.Scope SCOPE =
      new Guarantee.Scope(
          "the weights",
          "The settings, the constants that images are normalised with, and the starting weights");

  @Mixin private ResNetOptions options = new ResNetOptions();

  /** Made by the command line parser. */
  public ResNetCommand() {}

  @Override
  protected void run(PrintWriter out) throws IOException {
    ResNetTask task = ResNetTask.of(options);
    Report report = new Report(options.training, NAME, out);
    FineTuner fineTuner = new FineTuner(task.fineTuning(), options.training);
    Engine engine = Engine.getEngine("PyTorch");
    engine.setRandomSeed(options.training.seed());
    try (Model model = Model.newInstance(NAME, engine.getEngineName())) {
      prepare(task, model, report);
      Score before = fineTuner.before(() -> HeldOutScore.measure(model, task.heldOutSet()));
      show(report, "Held-out before training:", before);
      TrainingJob job =
          new TrainingJob(
              model,
              task.trainingSet(),
              HeldOutScore.PER_SAMPLE,
              task.inputShape(),
              Math.max(1, task.augment()));
      FineTuner.Outcome outcome = fineTuner.run(job, SCOPE);
      Score after = HeldOutScore.measure(model, task.heldOutSet());
      show(report, "Held-out after training: ", after);
      report.finish(model, outcome, before, after);
    }
  }

  /** Makes the model that is to be trained. */
  private static void prepare(ResNetTask task, Model model, Report report) {
    Block block = task.newModel();
    model.setBlock(block);
    block.initialize(model.getNDManager(), DataType.FLOAT32, task.inputShape());
    if (task.pretrained() != null) {
      task.pretrained().load((ResNet20) block);
      show(report, "Weights as loaded:       ", HeldOutScore.measure(model, task.heldOutSet()));
    }
    int replaced = task.norm().apply(block);
    if (task.resetHead()) {
      reset(ResNets.head(block));
    }
    task.trainable().apply(block);
    report.line(
        "%s, %d BatchNorms replaced: %,d parameters, %,d of which learn",
        task.architecture(), replaced, size(block, false), size(block, true));
    report.line(
        "%,d training images and %,d held-out images of %d classes, %d x %d pixels",
        task.training().count(),
        task.heldOut().count(),
        task.classes(),
        task.training().size(),
        task.training().size());
  }

  private static void reset(Linear head) {
    for (Parameter parameter : head.getDirectParameters().values()) {
      var array = parameter.getArray();
      Shape shape = parameter.getShape();
      array.setRequiresGradient(false);
      parameter
          .getInitializer()
          .initialize(array.getManager(), shape, DataType.FLOAT32)
          .copyTo(array);
      array.setRequiresGradient(parameter.requiresGradient());
    }
  }

  private static long size(Block block, boolean learning) {
    return block.getParameters().values().stream()
        .filter(parameter -> !learning || parameter.requiresGradient())
        .mapToLong(parameter -> parameter.getArray().size())
        .sum();
  }

  private static void show(Report report, String what, Score score) {
    report.line(
        "%s accuracy %.1f %%, loss %.4f nats",
        what, 100 * Objects.requireNonNull(score.accuracy()), score.loss());
  }
}
