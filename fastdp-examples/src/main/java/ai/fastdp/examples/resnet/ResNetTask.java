/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import static ai.fastdp.examples.training.TrainingOptions.orElse;
import static ai.fastdp.examples.training.TrainingOptions.requirePositive;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.fastdp.examples.resnet.ResNetOptions.Architecture;
import ai.fastdp.examples.training.FineTuning;
import ai.fastdp.examples.training.InputException;
import ai.fastdp.examples.training.TrainingOptions;
import java.nio.file.Path;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * What {@link ResNetCommand} is to do, with everything read, checked and settled.
 *
 * @param architecture the model
 * @param pretrained where the weights come from, if they are not random
 * @param resetHead whether the last layer starts from random weights all the same
 * @param norm what takes the place of BatchNorm
 * @param trainable what learns
 * @param classes the number of classes
 * @param training the private images
 * @param heldOut the images that the accuracy is measured on
 * @param normalization what bytes become
 * @param augment the number of augmented views of an image; 0 for the image itself
 * @param fineTuning how the model learns
 */
record ResNetTask(
    Architecture architecture,
    @Nullable PretrainedResNet20 pretrained,
    boolean resetHead,
    Norm norm,
    Trainable trainable,
    int classes,
    LabelledImages training,
    LabelledImages heldOut,
    Normalization normalization,
    int augment,
    FineTuning fineTuning) {

  private static final int LARGEST_PHYSICAL_BATCH = 128;
  private static final int HELD_OUT_DRAWN = 600;

  private static final TrainingOptions.Defaults DRAWN =
      new TrainingOptions.Defaults(8, 400, 4, 4e-3);
  private static final TrainingOptions.Defaults FILES =
      new TrainingOptions.Defaults(8, 500, 3, 5e-3);

  /**
   * Reads and checks everything that the options name.
   *
   * @throws InputException if something is wrong with them
   */
  static ResNetTask of(ResNetOptions options) {
    requireConsistent(options);
    int augment = orElse(options.augment, 0);
    if (options.augment != null) {
      requirePositive("--augment", augment);
    }
    int samplesAtOnce = Math.max(1, LARGEST_PHYSICAL_BATCH / Math.max(1, augment));
    Path data = options.data;
    if (data == null) {
      int samples = options.training.generatedSamples(16_000);
      Random random = new Random(options.training.seed());
      return new ResNetTask(
          orElse(options.model, Architecture.RESNETV1),
          null,
          false,
          options.norm,
          options.trainable,
          DrawnImages.CLASSES,
          DrawnImages.draw(random, samples),
          DrawnImages.draw(random, HELD_OUT_DRAWN),
          Normalization.BYTES,
          augment,
          options.training.fineTuning(samples, samplesAtOnce, DRAWN));
    }
    CifarFiles files = CifarFiles.read(data);
    return new ResNetTask(
        orElse(options.model, Architecture.RESNET20),
        options.weights == null ? null : new PretrainedResNet20(options.weights),
        options.resetHead,
        options.norm,
        options.trainable,
        CifarFiles.CLASSES,
        files.training(),
        files.test(),
        Normalization.IMAGENET,
        augment,
        options.training.fineTuning(files.training().count(), samplesAtOnce, FILES));
  }

  private static void requireConsistent(ResNetOptions options) {
    if (options.weights != null && options.data == null) {
      throw new InputException("--weights needs --data");
    }
    if (options.weights != null && options.model == Architecture.RESNETV1) {
      throw new InputException("--weights are for --model resnet20, got resnetv1");
    }
    if (options.weights == null && options.norm == Norm.FROZEN_BATCHNORM) {
      throw new InputException("--norm frozen-batchnorm needs the statistics of --weights");
    }
    if (options.weights == null && options.resetHead) {
      throw new InputException("--reset-head needs --weights: without them, the head is random");
    }
    if (options.weights == null && options.trainable != Trainable.ALL) {
      throw new InputException("--trainable needs --weights: random weights must all be trained");
    }
  }

  /** The model, not yet initialized, with BatchNorm. */
  Block newModel() {
    return switch (architecture) {
      case RESNETV1 -> ResNets.resNetV1(classes, training.size());
      case RESNET20 -> new ResNet20(classes);
    };
  }

  /** The shape of an input of one sample. */
  Shape inputShape() {
    return new Shape(1, LabelledImages.CHANNELS, training.size(), training.size());
  }

  /** The private images in batches of the expected size. */
  ImageDataset trainingSet() {
    return ImageDataset.of(training, normalization, augment, fineTuning.batchSize(), true);
  }

  /** The held-out images, as they are. */
  ImageDataset heldOutSet() {
    return ImageDataset.of(heldOut, normalization, 0, LARGEST_PHYSICAL_BATCH, false);
  }
}
