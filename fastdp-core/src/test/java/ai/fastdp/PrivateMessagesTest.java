/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.training.loss.Loss;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.kernel.BookKeepingKernels;
import ai.fastdp.internal.pass.LossShape;
import ai.fastdp.internal.pass.Views;
import ai.fastdp.loss.PerSampleLoss;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * How many samples a batch has is private: an error says the same whatever their number is, and
 * nothing of a sample's values.
 */
final class PrivateMessagesTest {
  private static final int TIME = 3;

  private final NDManager manager = NDManager.newBaseManager("PyTorch");

  @AfterEach
  void close() {
    manager.close();
  }

  /** Something that is refused with a batch of so many samples. */
  @FunctionalInterface
  private interface Refused {
    void run(PrivateMessagesTest test, int samples);
  }

  private static Arguments loss(
      String name, PerSampleLoss loss, UnaryOperator<Shape> labels, UnaryOperator<Shape> scores) {
    Refused refused =
        (test, samples) ->
            loss.evaluate(
                new NDList(test.manager.zeros(labels.apply(new Shape(samples)))),
                new NDList(test.manager.zeros(scores.apply(new Shape(samples)))));
    return Arguments.of(name, refused);
  }

  private static Arguments losses(UnaryOperator<Shape> wrong, String name) {
    Refused refused =
        (test, samples) ->
            new LossShape(samples, "sample")
                .require(test.manager.zeros(wrong.apply(new Shape(samples))));
    return Arguments.of("loss of shape " + name, refused);
  }

  private static Arguments model(
      String name, Block layer, Shape input, UnaryOperator<NDArray> before) {
    Refused refused =
        (test, samples) -> {
          // One layer, so that no pass with fewer samples comes before.
          Wiring block =
              new Wiring((call, x) -> call.run("a", before.apply(x)))
                  .part("a", layer, input.getShape());
          NDManager manager = test.manager;
          block.initialize(manager, DataType.FLOAT32, new Shape(1));
          NDArray data =
              layer instanceof LSTM || input.dimension() == 2
                  ? OneStep.normal(manager, 1, 1, samples, TIME, 5)
                  : OneStep.ids(manager, 1, 5, samples, TIME);
          try (Model model = OneStep.model(block)) {
            OneStep.firstStep(
                model,
                new NDList(data),
                new NDList(manager.zeros(new Shape(samples, TIME, 2))),
                OneStep.engine(OneStep.everySample(samples, 1).build(), new SquaredError())
                    .optSelfCheck(false));
          }
        };
    return Arguments.of(name, refused);
  }

  private static Arguments rule(String name, UnaryOperator<Shape> input, UnaryOperator<Shape> g) {
    Refused refused =
        (test, samples) -> {
          Block linear = Recipe.plainLinear(2);
          linear.initialize(test.manager, DataType.FLOAT32, new Shape(1, 5));
          new PerSampleGradients(
                  BookKeepingKernels.compile(test.manager), test.manager, samples, 1000)
              .contributions()
              .addLinear(
                  linear.getParameters().valueAt(0),
                  test.manager.zeros(input.apply(new Shape(samples))),
                  test.manager.zeros(g.apply(new Shape(samples))));
        };
    return Arguments.of(name, refused);
  }

  private static LSTM lstm() {
    return LSTM.builder().setNumLayers(1).setStateSize(2).optReturnState(false).build();
  }

  private static Stream<Arguments> refusals() {
    PerSampleLoss classes = PerSampleLoss.softmaxCrossEntropy();
    PerSampleLoss sequence = PerSampleLoss.sequenceCrossEntropy();
    return Stream.of(
        loss("sequence scores", classes, b -> b, b -> b.add(4, 5)),
        loss("one-hot labels", classes, b -> b.add(5), b -> b.add(5)),
        loss("one class", classes, b -> b, b -> b.add(1)),
        loss("lost axis", classes, b -> b, b -> new Shape(5)),
        loss("flat scores", classes, b -> b, b -> new Shape(3 * b.get(0), 5)),
        loss("time-major scores", sequence, b -> b.add(4), b -> new Shape(4, b.get(0), 5)),
        loss("labels of others", sequence, b -> new Shape(2 * b.get(0), 4), b -> b.add(4, 5)),
        loss("other regression", PerSampleLoss.l2(), b -> b.add(2), b -> b.add(3)),
        loss("flat regression", PerSampleLoss.l1(), b -> new Shape(2 * b.get(0)), b -> b),
        loss(
            "labels outside",
            (y, z) -> classes.evaluate(new NDList(y.head().add(7)), z),
            b -> b,
            b -> b.add(5)),
        loss(
            "labels that are no probabilities",
            (y, z) ->
                PerSampleLoss.sigmoidBinaryCrossEntropy().evaluate(new NDList(y.head().add(2)), z),
            b -> b,
            b -> b),
        loss(
            "each sample",
            PerSampleLoss.eachSample(Loss.l2Loss()),
            b -> new Shape(2 * b.get(0)),
            b -> b),
        loss("axes", PerSampleLoss.onSampleAxes(1, 0, classes), b -> b, b -> b),
        loss("views", new Views(2).mean(sequence), b -> b, b -> new Shape(3 * b.get(0), 4, 5)),
        loss(
            "loss of views",
            new Views(2).mean((y, z) -> z.head()),
            b -> b,
            b -> new Shape(2 * b.get(0), 1)),
        Arguments.of(
            "views of data",
            (Refused)
                (test, samples) ->
                    new Views(2).fold(new NDList(test.manager.zeros(new Shape(samples, 3, 5))))),
        losses(b -> b.add(1), "(B, 1)"),
        losses(b -> b.add(b.get(0)), "(B, B)"),
        losses(b -> new Shape(3 * b.get(0)), "(3 B)"),
        losses(b -> new Shape(1, b.get(0)), "(1, B)"),
        losses(b -> new Shape(), "()"),
        model("flattened", Recipe.linear(2), new Shape(TIME, 5), x -> x.reshape(-1, 5)),
        model("time-major", Recipe.linear(2), new Shape(TIME, 5), x -> x.transpose(1, 0, 2)),
        model("no samples", Recipe.linear(2), new Shape(TIME, 5), x -> x.sum(new int[] {0})),
        model("flat ids", Recipe.wordEmbedding(5, 2), new Shape(TIME), x -> x.reshape(-1)),
        model("ids", Recipe.idEmbedding(5, 2), new Shape(TIME), x -> x.get("0:2")),
        model("ids outside", Recipe.idEmbedding(5, 2), new Shape(TIME), x -> x.add(3)),
        model("recurrent", lstm(), new Shape(TIME, 5), x -> x.transpose(1, 0, 2)),
        model("no time", lstm(), new Shape(TIME, 5), x -> x.get(":, 0:0")),
        rule("flat input of a rule", b -> new Shape(4 * b.get(0), 5), b -> b.add(4, 2)),
        rule("wide input of a rule", b -> b.add(4, 6), b -> b.add(4, 2)),
        rule("positions of a rule", b -> b.add(3, 5), b -> b.add(4, 2)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("refusals")
  void message_batchesOfOtherSizes_isTheSame(String name, Refused refused) {
    Throwable seven = catchThrowable(() -> refused.run(this, 7));
    Throwable eleven = catchThrowable(() -> refused.run(this, 11));
    assertThat(seven)
        .isInstanceOfAny(IllegalArgumentException.class, IllegalStateException.class)
        .hasMessageContaining("must");
    assertThat(eleven).hasSameClassAs(seven).hasMessage(seven.getMessage());
    assertThat(seven.getMessage()).doesNotContain("7", "14", "21", "28", "49");
  }
}
