/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.fastdp.examples.training.TrainingOptions;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options of {@link ResNetCommand}, as they were given. What was not given is null. */
final class ResNetOptions {

  @Mixin final TrainingOptions training = new TrainingOptions();

  @Option(
      names = "--data",
      paramLabel = "PATH",
      description =
          "CIFAR-10 in its binary form, a directory or a tar.gz: data_batch_*.bin are the private "
              + "training set, test_batch.bin is held out. Without it, the program trains on "
              + "images that it draws.")
  @Nullable Path data;

  @Option(
      names = "--model",
      paramLabel = "MODEL",
      description = "One of: ${COMPLETION-CANDIDATES}. Default: resnet20 with --data, or resnetv1.")
  @Nullable Architecture model;

  @Option(
      names = "--weights",
      paramLabel = "FILE",
      description =
          "Start from public weights of a resnet20 for CIFAR-10, an npz file. Without it, the weights "
              + "are random.")
  @Nullable Path weights;

  @Option(
      names = "--norm",
      paramLabel = "NORM",
      description =
          "What takes the place of BatchNorm: GroupNorm, or BatchNorm with the fixed statistics of "
              + "--weights. One of: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.",
      defaultValue = "group")
  Norm norm = Norm.GROUP;

  @Option(
      names = "--reset-head",
      description = "Start from a random last layer in place of that of --weights.")
  boolean resetHead;

  @Option(
      names = "--trainable",
      paramLabel = "PART",
      description =
          "What learns: everything, the last layer, or the last layer and the normalisations' scales "
              + "and shifts. One of: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.",
      defaultValue = "all")
  Trainable trainable = Trainable.ALL;

  @Option(
      names = "--augment",
      paramLabel = "N",
      description =
          "Random views of an image, mirrored and shifted, that count as one sample: the mean of their "
              + "gradients is clipped. Default: the image itself.")
  @Nullable Integer augment;

  /** The models. */
  enum Architecture {
    /** DJL's own. */
    RESNETV1,
    /** The ResNet-20 for CIFAR-10. */
    RESNET20;

    /** The value as it is given on the command line. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }
}
