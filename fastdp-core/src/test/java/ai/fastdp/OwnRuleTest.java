/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.convolutional.Conv1d;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.convolutional.Convolution;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.NormalInitializer;
import ai.djl.util.PairList;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.rule.BroadcastRule;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.ConvolutionGeometry;
import ai.fastdp.rule.GhostRule;
import ai.fastdp.rule.LayerUse;
import ai.fastdp.sampling.PrivateBatch;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Users' blocks with parameters of their own, and the rules that users write for them. */
@Tag("slow")
final class OwnRuleTest {
  private static final int SAMPLES = 4;

  /** A block that reads parameters of its own. */
  abstract static class Own extends AbstractBlock {
    Own(Map<String, Shape> parameters) {
      parameters.forEach(
          (name, shape) ->
              addParameter(
                  Parameter.builder()
                      .setName(name)
                      .setType(Parameter.Type.WEIGHT)
                      .optShape(shape)
                      .optInitializer(new NormalInitializer(0.5f))
                      .build()));
    }

    abstract NDArray run(NDArray x, Function<String, NDArray> parameter);

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray x = inputs.head();
      return new NDList(
          run(x, name -> store.getValue(parameter(this, name), x.getDevice(), training)));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }
  }

  private static Parameter parameter(Block block, String name) {
    return Objects.requireNonNull(block.getDirectParameters().get(name));
  }

  /** y = x * scale */
  static class Scale extends Own {
    Scale() {
      super(Map.of("scale", new Shape(5)));
    }

    @Override
    NDArray run(NDArray x, Function<String, NDArray> parameter) {
      return x.mul(parameter.apply("scale"));
    }

    static GhostRule rule(float factor) {
      return (use, outputGradient, gradients) ->
          gradients.addDense(
              parameter(use.block(), "scale"),
              use.requireInput().mul(outputGradient).mul(factor).sum(new int[] {1}));
    }
  }

  /** The tokens of an image behind a class token, all with positions. */
  static class ClassToken extends Own {
    ClassToken() {
      super(Map.of("token", new Shape(1, 1, 5), "positions", new Shape(1, 4, 5)));
    }

    @Override
    NDArray run(NDArray x, Function<String, NDArray> parameter) {
      NDArray token = parameter.apply("token").repeat(0, x.getShape().get(0));
      return token.concat(x, 1).add(parameter.apply("positions"));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return new Shape[] {new Shape(inputShapes[0].get(0), 4, 5)};
    }

    static final GhostRule RULE =
        new GhostRule() {
          @Override
          public boolean needsInput(Block layer) {
            return false;
          }

          @Override
          public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
            gradients.addBroadcast(parameter(use.block(), "token"), outputGradient.get(":,:1"));
            gradients.addBroadcast(parameter(use.block(), "positions"), outputGradient);
          }
        };
  }

  /** y = x + a + b, of different shapes. */
  static class Shifts extends Own {
    Shifts() {
      super(Map.of("a", new Shape(5), "b", new Shape(1, 3, 1)));
    }

    @Override
    NDArray run(NDArray x, Function<String, NDArray> parameter) {
      return x.add(parameter.apply("a")).add(parameter.apply("b"));
    }
  }

  /** A linear map and a convolution along the tokens, written by hand. */
  static class Mixer extends Own {
    Mixer() {
      super(Map.of("w", new Shape(5, 5), "k", new Shape(3, 3, 2)));
    }

    @Override
    NDArray run(NDArray x, Function<String, NDArray> parameter) {
      NDArray padded = x.concat(x.get(":,:,:1").zerosLike(), 2);
      return Linear.linear(x, parameter.apply("w"))
          .head()
          .add(Conv1d.conv1d(padded, parameter.apply("k")).head());
    }

    static final GhostRule RULE =
        (use, outputGradient, gradients) -> {
          NDArray x = use.requireInput();
          Shape one = new Shape(1);
          gradients.addLinear(parameter(use.block(), "w"), x, outputGradient);
          gradients.addConvolution(
              parameter(use.block(), "k"),
              x.concat(x.get(":,:,:1").zerosLike(), 2),
              outputGradient,
              new ConvolutionGeometry(one, new Shape(0), one, 1));
        };
  }

  /** The blocks and their rules. */
  enum Case {
    SCALE(Scale.class, Scale.rule(1), 3),
    CLASS_TOKEN(ClassToken.class, ClassToken.RULE, 4),
    SHIFTS(Shifts.class, new BroadcastRule(), 3),
    MIXER(Mixer.class, Mixer.RULE, 3);

    private final Class<? extends Own> type;

    @SuppressWarnings("ImmutableEnumChecker") // A rule has no state.
    private final GhostRule rule;

    private final int tokens;

    Case(Class<? extends Own> type, GhostRule rule, int tokens) {
      this.type = type;
      this.rule = rule;
      this.tokens = tokens;
    }

    Block block() {
      return switch (this) {
        case SCALE -> new Scale();
        case CLASS_TOKEN -> new ClassToken();
        case SHIFTS -> new Shifts();
        case MIXER -> new Mixer();
      };
    }
  }

  private static Model model(Block own, int tokens) {
    Wiring wiring =
        new Wiring((call, x) -> call.run("b", call.run("own", call.run("a", x)).tanh()))
            .part("a", Recipe.linear(5), 3, 5)
            .part("own", own, 3, 5)
            .part("b", Recipe.linear(2), tokens, 5);
    Model model = OneStep.model(wiring);
    wiring.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 3, 5));
    return model;
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void run_ownBlockWithRule_equalsBatchOfOne(Case own) {
    try (Model model = model(own.block(), own.tokens)) {
      NDManager manager = model.getNDManager();
      NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 3, 5));
      NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, own.tokens, 2));
      PerSampleLoss loss = new SquaredError();
      BatchOfOneOracle oracle = new BatchOfOneOracle(model.getBlock(), loss::evaluate);
      double[][][] expected = oracle.gradients(data, labels);
      try (EngineProbe probe =
          new EngineProbe(
              model,
              loss,
              PerformanceOptions.defaults(),
              GhostRules.standard().with(own.type, own.rule))) {
        EngineProbe.Result actual = probe.run(data, labels);
        for (int i = 0; i < SAMPLES; i++) {
          for (int k = 0; k < oracle.parameters().size(); k++) {
            Parameter parameter = oracle.parameters().get(k);
            double norm = BatchOfOneOracle.norm(expected[i][k]);
            assertThat(Math.sqrt(actual.squaredNorm(parameter, i)))
                .isCloseTo(norm, org.assertj.core.data.Offset.offset(1e-5 * norm));
            assertThat(
                    BatchOfOneOracle.relativeError(actual.gradient(parameter, i), expected[i][k]))
                .isLessThan(1e-5);
          }
        }
      }
    }
  }

  private static void train(Block own, int tokens, Class<? extends Block> type, GhostRule rule)
      throws Exception {
    train(own, tokens, type, rule, 0);
  }

  private static void train(
      Block own, int tokens, Class<? extends Block> type, GhostRule rule, int missing)
      throws Exception {
    try (Model model = model(own, tokens)) {
      NDManager manager = model.getNDManager();
      NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 3, 5));
      NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, tokens, 2));
      if (missing > 0) {
        data.head().set(new NDIndex(SAMPLES - missing + ":"), Float.NaN);
      }
      try (PrivateTrainer trainer =
          OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), new SquaredError())
              .addRule(type, rule)
              .build()
              .attach(model, new CapturingOptimizer())) {
        for (PrivateBatch batch : trainer.batches(OneStep.dataset(data, labels))) {
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
          break;
        }
      }
    }
  }

  @Test
  void train_rightRule_passesTheSelfCheck() {
    for (Case own : Case.values()) {
      assertThatCode(() -> train(own.block(), own.tokens, own.type, own.rule))
          .doesNotThrowAnyException();
    }
  }

  @ParameterizedTest(name = "times {0}")
  @ValueSource(floats = {0.5f, 2, -1, 0, 1.02f})
  void train_ruleOffByAFactor_isCaughtByTheSelfCheck(float factor) {
    assertThatThrownBy(() -> train(new Scale(), 3, Scale.class, Scale.rule(factor)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("02own/scale", "must equal back-propagation on a batch of one");
  }

  @ParameterizedTest(name = "{0} samples of missing values")
  @ValueSource(ints = {1, SAMPLES / 2})
  void train_wrongRuleBesideMissingValues_isCaughtByTheSelfCheck(int missing) {
    assertThatThrownBy(() -> train(new Scale(), 3, Scale.class, Scale.rule(2), missing))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("must equal back-propagation on a batch of one");
  }

  @Test
  void train_ruleThatLeavesAParameterOut_isCaughtByTheSelfCheck() {
    GhostRule half =
        (use, outputGradient, gradients) ->
            gradients.addBroadcast(parameter(use.block(), "a"), outputGradient);
    assertThatThrownBy(() -> train(new Shifts(), 3, Shifts.class, half))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("02own/b", "path to the loss");
  }

  @Test
  void train_ruleOfAnotherShape_isRefusedNamingTheParameter() {
    GhostRule summed =
        (use, outputGradient, gradients) ->
            gradients.addDense(
                parameter(use.block(), "scale"), use.requireInput().mul(outputGradient));
    assertThatThrownBy(() -> train(new Scale(), 3, Scale.class, summed))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("'scale' (5)", "samples (B)", "got (B, 3, 5)");
    GhostRule wide =
        (use, outputGradient, gradients) ->
            gradients.addBroadcast(parameter(use.block(), "scale"), outputGradient.get(":,:,:3"));
    assertThatThrownBy(() -> train(new Scale(), 3, Scale.class, wide))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("'scale' (5)", "must broadcast", "(B, 3, 3)");
    GhostRule linear =
        (use, outputGradient, gradients) ->
            gradients.addLinear(
                parameter(use.block(), "scale"), use.requireInput(), outputGradient);
    assertThatThrownBy(() -> train(new Scale(), 3, Scale.class, linear))
        .hasMessageContainingAll("'scale' (5)", "2 axes");
    GhostRule shifted =
        (use, outputGradient, gradients) ->
            gradients.addConvolution(
                parameter(use.block(), "k"),
                use.requireInput(),
                outputGradient,
                new ConvolutionGeometry(new Shape(1), new Shape(0), new Shape(1), 1));
    assertThatThrownBy(() -> train(new Mixer(), 3, Mixer.class, shifted))
        .hasMessageContainingAll("'k' (3, 3, 2)", "convolution", "(B, 3, 5)");
  }

  @Test
  void train_parameterInTwoForms_isRefused() {
    GhostRule both =
        (use, outputGradient, gradients) -> {
          Mixer.RULE.contribute(use, outputGradient, gradients);
          NDArray x = use.requireInput();
          gradients.addDense(
              parameter(use.block(), "w"),
              x.getManager().zeros(new Shape(x.getShape().get(0), 5, 5)));
        };
    assertThatThrownBy(() -> train(new Mixer(), 3, Mixer.class, both))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("'w' (5, 5)", "one form");
  }

  @Test
  void train_blockWithTwoOutputs_isRefused() {
    Block pair =
        new Scale() {
          @Override
          protected NDList forwardInternal(
              ParameterStore store,
              NDList inputs,
              boolean training,
              PairList<String, Object> params) {
            NDArray y = super.forwardInternal(store, inputs, training, params).head();
            return new NDList(y, y.mul(2));
          }
        };
    assertThatThrownBy(() -> train((Scale) pair, 3, pair.getClass(), Scale.rule(1)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("02own", "must have one output, got 2");
  }

  @Test
  void addRule_classThatHasOne_isRefused() {
    GhostRules rules = GhostRules.standard().with(Scale.class, Scale.rule(1));
    assertThatThrownBy(() -> rules.with(Scale.class, Scale.rule(2)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("must not have a rule yet", Scale.class.getName());
    assertThatThrownBy(() -> rules.with(Linear.class, Scale.rule(1)))
        .hasMessageContaining("must not have a rule yet, got ai.djl.nn.core.Linear");
    assertThatThrownBy(() -> rules.with(Recipe.NamedLinear.class, Scale.rule(1)))
        .hasMessageContaining("must not have a rule yet");
    assertThatThrownBy(() -> rules.with(Conv2d.class, Scale.rule(1)))
        .hasMessageContaining("must not have a rule yet");
    assertThatThrownBy(() -> rules.with(Convolution.class, Scale.rule(1)))
        .hasMessageContaining("must be a class that can be instantiated");
  }

  @Test
  void with_leavesTheRulesAsTheyWere() {
    GhostRules rules = GhostRules.standard();
    GhostRules extended = rules.with(Scale.class, Scale.rule(1));
    assertThat(rules.support(new Scale())).isFalse();
    assertThat(extended.support(new Scale())).isTrue();
    assertThat(extended.support(new Scale() {})).isFalse();
    assertThat(extended.support(Recipe.linear(2))).isTrue();
  }
}
