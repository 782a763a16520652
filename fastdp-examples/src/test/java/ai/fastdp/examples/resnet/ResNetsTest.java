/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.fastdp.examples.SharedData;
import ai.fastdp.examples.training.InputException;
import ai.fastdp.examples.training.Score;
import ai.fastdp.validation.ModelValidator;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("slow")
final class ResNetsTest {

  private final Model model = Model.newInstance("test", "PyTorch");
  private final NDManager manager = model.getNDManager();
  private Path directory = Path.of("");

  @BeforeEach
  void setDirectory(@TempDir Path temporary) {
    directory = temporary;
  }

  @AfterEach
  void close() {
    model.close();
  }

  @Test
  void resNets_images_giveScoresAndHaveTheKnownSizes() {
    assertThat(parameters(new ResNet20(10), 32)).isEqualTo(269_722); // He et al.: 0.27 million
    assertThat(parameters(ResNets.resNet18(10), 32)).isEqualTo(11_173_962);
    assertThat(parameters(ResNets.resNetV1(6, 16), 16)).isPositive();
    assertThat(parameters(ResNets.resNetV1(10, 32), 32)).isPositive();
  }

  private long parameters(Block block, int size) {
    Shape image = new Shape(2, 3, size, size);
    assertThat(ModelValidator.fix(block)).isNotEmpty();
    block.initialize(manager, DataType.FLOAT32, image);
    NDList scores =
        block.forward(
            new ParameterStore(manager, false), new NDList(manager.randomNormal(image)), true);
    assertThat(scores.singletonOrThrow().getShape())
        .isEqualTo(block.getOutputShapes(new Shape[] {image})[0]);
    assertThat(ModelValidator.validate(block)).isEmpty();
    return block.getParameters().values().stream()
        .mapToLong(parameter -> parameter.getArray().size())
        .sum();
  }

  @Test
  void basicUnit_zeroConvolutions_isTheShortcut() {
    BasicUnit unit = new BasicUnit(6, 2);
    unit.initialize(manager, DataType.FLOAT32, new Shape(1, 3, 4, 4));
    for (Parameter parameter : unit.getParameters().values()) {
      parameter.getArray().setRequiresGradient(false);
    }
    unit.getChildren().valueAt(2).getDirectParameters().valueAt(0).getArray().muli(0);
    NDArray x = manager.arange(2 * 48f).reshape(2, 3, 4, 4);
    NDArray y =
        unit.forward(new ParameterStore(manager, false), new NDList(x), false).singletonOrThrow();
    assertThat(y.getShape()).isEqualTo(new Shape(2, 6, 2, 2));
    for (int c = 0; c < 6; c++) {
      for (int row = 0; row < 2; row++) {
        for (int column = 0; column < 2; column++) {
          // One zero channel in front, two behind.
          float expected = c < 1 || c > 3 ? 0 : x.getFloat(1, c - 1, 2L * row, 2L * column);
          assertThat(y.getFloat(1, c, row, column)).isEqualTo(expected);
        }
      }
    }
  }

  @Test
  void load_weightsOfAnotherModel_giveItsScores() throws Exception {
    ResNet20 source = resNet20(1);
    Path file = directory.resolve("weights.npz");
    WeightsFixture.write(file, source, "");
    ResNet20 target = resNet20(2);
    NDList images = new NDList(manager.randomNormal(new Shape(2, 3, 32, 32)));
    ParameterStore store = new ParameterStore(manager, false);
    NDArray expected = source.forward(store, images, false).singletonOrThrow();
    assertThat(target.forward(store, images, false).singletonOrThrow()).isNotEqualTo(expected);
    new PretrainedResNet20(file).load(target);
    assertThat(target.forward(store, images, false).singletonOrThrow()).isEqualTo(expected);
    assertThat(ResNets.head(target).getDirectParameters().get("weight").requiresGradient())
        .isTrue();
  }

  @Test
  void load_otherFiles_areRefused() throws Exception {
    Path file = directory.resolve("weights.npz");
    assertRefused(file, "cannot read --weights");
    Files.writeString(file, "not a zip file, whatever its name says");
    assertRefused(file, "--weights");
    WeightsFixture.write(file, resNet20(1), "layer2.1.bn2.running_var");
    assertRefused(file, "must have 'layer2.1.bn2.running_var' of shape (32), got none");
    ResNet20 other = new ResNet20(7);
    other.initialize(manager, DataType.FLOAT32, new Shape(1, 3, 32, 32));
    WeightsFixture.write(file, other, "");
    assertRefused(file, "'linear.weight' of shape (10, 64), got (7, 64)");
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length / 2));
    assertRefused(file, "--weights");
  }

  private void assertRefused(Path file, String... parts) {
    assertThatThrownBy(() -> new PretrainedResNet20(file).load(resNet20(1)))
        .isInstanceOf(InputException.class)
        .hasMessageContainingAll(parts);
  }

  @Test
  void load_publishedWeights_reachTheirAccuracy() {
    Path weights = SharedData.path("resnet_cifar10/resnet20.npz");
    Path data = SharedData.path("cifar10/cifar-10-binary-subset.tar.gz");
    assumeTrue(Files.exists(weights) && Files.exists(data));
    LabelledImages all = CifarFiles.read(data).test();
    int count = 300;
    byte[] labels = new byte[count];
    byte[] pixels = new byte[count * all.imageBytes()];
    for (int i = 0; i < count; i++) {
      labels[i] = (byte) all.label(i);
      for (int j = 0; j < all.imageBytes(); j++) {
        pixels[i * all.imageBytes() + j] = all.pixel(i, j / 1024, j % 1024 / 32, j % 32);
      }
    }
    ResNet20 block = resNet20(1);
    model.setBlock(block);
    new PretrainedResNet20(weights).load(block);
    ImageDataset images =
        ImageDataset.of(
            new LabelledImages(32, pixels, labels), Normalization.IMAGENET, 0, 100, false);
    Score score = HeldOutScore.measure(model, images);
    // 91.5 % on all test images; three standard errors of 300 of them are 4.8 %.
    assertThat(score.accuracy()).isGreaterThan(0.867);
    assertThat(Norm.FROZEN_BATCHNORM.apply(block)).isEqualTo(19);
    Score frozen = HeldOutScore.measure(model, images);
    assertThat(frozen.loss()).isCloseTo(score.loss(), within(1e-4));
  }

  @Test
  void apply_trainableParts_freezeTheRest() {
    ResNet20 block = resNet20(1);
    Norm.FROZEN_BATCHNORM.apply(block);
    Trainable.HEAD_AND_AFFINE.apply(block);
    assertThat(learning(block)).isEqualTo(650 + 2 * (16 + 6 * (16 + 32 + 64)));
    Trainable.HEAD.apply(block);
    assertThat(learning(block)).isEqualTo(650);
  }

  private static long learning(Block block) {
    return block.getParameters().values().stream()
        .filter(Parameter::requiresGradient)
        .mapToLong(parameter -> parameter.getArray().size())
        .sum();
  }

  private ResNet20 resNet20(int seed) {
    manager.getEngine().setRandomSeed(seed);
    ResNet20 block = new ResNet20(10);
    block.initialize(manager, DataType.FLOAT32, new Shape(1, 3, 32, 32));
    return block;
  }
}
