/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.internal.hook.HookedModel;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.plan.PrivacyPlanBuilder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Clipped sums of every function under every style against batch-of-one back-propagation. Grouping,
 * thresholds and functions are written out here once more, in plain Java.
 */
@Tag("slow")
final class StyleExactnessTest {
  private static final double TOLERANCE = 1e-5;
  private static final int SAMPLES = 6;

  /** A parameter's layer, by the first block that owns it. */
  private record Owned(Parameter parameter, Block layer, String path) {}

  private enum Style {
    ALL_LAYER {
      @Override
      ClippingStyle style(List<Owned> parameters) {
        return ClippingStyle.allLayer();
      }

      @Override
      int group(List<Owned> parameters, int k) {
        return 0;
      }
    },
    LAYER_WISE {
      @Override
      ClippingStyle style(List<Owned> parameters) {
        return ClippingStyle.layerWise();
      }

      @Override
      int group(List<Owned> parameters, int k) {
        return layers(parameters).indexOf(parameters.get(k).layer());
      }
    },
    PARAM_WISE {
      @Override
      ClippingStyle style(List<Owned> parameters) {
        return ClippingStyle.paramWise();
      }

      @Override
      int group(List<Owned> parameters, int k) {
        return k;
      }
    },
    TWO_BLOCKS {
      @Override
      ClippingStyle style(List<Owned> parameters) {
        return ClippingStyle.blockWise(Math.min(2, layers(parameters).size()));
      }

      @Override
      int group(List<Owned> parameters, int k) {
        List<Block> layers = layers(parameters);
        // The first half has the middle layer of an odd number.
        return layers.indexOf(parameters.get(k).layer()) < (layers.size() + 1) / 2 ? 0 : 1;
      }
    },
    EVERY_OTHER_LAYER {
      @Override
      ClippingStyle style(List<Owned> parameters) {
        List<List<String>> groups = new ArrayList<>();
        for (int group = 0; group < Math.min(2, layers(parameters).size()); group++) {
          int own = group;
          groups.add(
              IntStream.range(0, parameters.size())
                  .filter(k -> group(parameters, k) == own)
                  .mapToObj(k -> parameters.get(k).path())
                  .distinct()
                  .toList());
        }
        return ClippingStyle.groupWise(groups);
      }

      @Override
      int group(List<Owned> parameters, int k) {
        return layers(parameters).indexOf(parameters.get(k).layer()) % 2;
      }
    },
    GIVEN {
      @Override
      ClippingStyle style(List<Owned> parameters) {
        double[] norms = new double[parameters.size()];
        Arrays.setAll(norms, k -> weight(k));
        return ClippingStyle.paramWise().withClipNorms(norms);
      }

      @Override
      int group(List<Owned> parameters, int k) {
        return k;
      }

      @Override
      double clipNorm(List<Owned> parameters, int group) {
        return weight(group);
      }

      private double weight(int k) {
        return 0.05 + 0.1 * (k % 3);
      }
    };

    abstract ClippingStyle style(List<Owned> parameters);

    abstract int group(List<Owned> parameters, int k);

    double clipNorm(List<Owned> parameters, int group) {
      int groups = 0;
      for (int k = 0; k < parameters.size(); k++) {
        groups = Math.max(groups, group(parameters, k) + 1);
      }
      return CLIP_NORM / Math.sqrt(groups);
    }

    private static List<Block> layers(List<Owned> parameters) {
      return parameters.stream().map(Owned::layer).distinct().toList();
    }
  }

  private static final double CLIP_NORM = 0.8;

  @SuppressWarnings("ImmutableEnumChecker") // The functions are records.
  private enum Function {
    ABADI(ClippingFunction.abadi()) {
      @Override
      double factor(double norm, double clipNorm) {
        return norm <= clipNorm ? 1 : clipNorm / norm;
      }
    },
    AUTO_S(ClippingFunction.automatic(0.02)) {
      @Override
      double factor(double norm, double clipNorm) {
        return clipNorm / (norm + 0.02);
      }
    },
    AUTO_V(ClippingFunction.automaticDirection()) {
      @Override
      double factor(double norm, double clipNorm) {
        return norm > 0 ? clipNorm / norm : 0;
      }
    },
    GLOBAL(ClippingFunction.global()) {
      @Override
      double factor(double norm, double clipNorm) {
        return norm <= clipNorm ? 1 : 0;
      }
    },
    GLOBAL_WIDE(ClippingFunction.global(2.5)) {
      @Override
      double factor(double norm, double clipNorm) {
        return norm <= 2.5 * clipNorm ? 0.4 : 0;
      }
    },
    ADAPTIVE(ClippingFunction.adaptiveQuantile(0.5, 1)) {
      @Override
      double factor(double norm, double clipNorm) {
        return norm <= clipNorm ? 1 : clipNorm / norm;
      }
    };

    private final ClippingFunction function;

    Function(ClippingFunction function) {
      this.function = function;
    }

    abstract double factor(double norm, double clipNorm);
  }

  static Stream<Arguments> grid() {
    return Stream.concat(functions(), layers());
  }

  /** Every function under every style. */
  private static Stream<Arguments> functions() {
    return Stream.of(
            Recipe.TRANSFORMER,
            Recipe.TIED_HEAD_ALL_USED_TWICE,
            Recipe.WEIGHT_IN_THREE_LAYERS,
            Recipe.LINEAR_RANK_3)
        .flatMap(
            recipe ->
                Arrays.stream(Style.values())
                    .flatMap(
                        style ->
                            Arrays.stream(Function.values())
                                .map(function -> Arguments.of(recipe, style, function))));
  }

  /** The first recipe of each kind in the table of layers, under every style. */
  private static Stream<Arguments> layers() {
    Set<Recipe> recipes = EnumSet.noneOf(Recipe.class);
    LayerTableTest.rows().forEach(row -> recipes.addAll(row.firstRecipes()));
    return recipes.stream()
        .flatMap(
            recipe ->
                Arrays.stream(Style.values())
                    .map(style -> Arguments.of(recipe, style, Function.ABADI)));
  }

  @ParameterizedTest(name = "{0}, {1}, {2}")
  @MethodSource("grid")
  void step_styleAndFunction_clippedSumEqualsBatchOfOne(
      Recipe recipe, Style style, Function function) {
    try (Model model = recipe.model()) {
      NDManager manager = model.getNDManager();
      NDList data = recipe.data(manager, SAMPLES);
      NDList labels = recipe.labels(manager, SAMPLES);
      BatchOfOneOracle oracle = new BatchOfOneOracle(model.getBlock(), recipe.loss()::evaluate);
      double[][][] gradients = oracle.gradients(data, labels);
      List<Owned> owned = new ArrayList<>();
      for (HookedModel.Located located : HookedModel.walk(model.getBlock())) {
        collect(located, owned);
      }
      int[] order = new int[owned.size()];
      Arrays.setAll(order, k -> oracle.parameters().indexOf(owned.get(k).parameter()));

      double[][] expected = new double[owned.size()][];
      for (int k = 0; k < expected.length; k++) {
        expected[k] = new double[gradients[0][order[k]].length];
      }
      double largest = 0;
      for (double[][] sample : gradients) {
        double whole = 0;
        for (int k = 0; k < expected.length; k++) {
          double norm = groupNorm(sample, order, owned, style, style.group(owned, k));
          double factor = function.factor(norm, style.clipNorm(owned, style.group(owned, k)));
          for (int j = 0; j < expected[k].length; j++) {
            double part = factor * sample[order[k]][j];
            expected[k][j] += part;
            whole += part * part;
          }
        }
        largest = Math.max(largest, Math.sqrt(whole));
      }
      PrivacyPlanBuilder builder =
          PrivacyPlan.builder()
              .setDatasetSize(SAMPLES)
              .setSampleRate(1)
              .setSteps(100)
              .setNoiseMultiplier(1)
              .setDelta(1e-5)
              .optLargeEpsilon()
              .optClipping(function.function)
              .optStyle(style.style(owned));
      PrivacyPlan plan = (style == Style.GIVEN ? builder : builder.setClipNorm(CLIP_NORM)).build();
      // The oracle itself stays within the bound that the noise is made for.
      assertThat(largest).isLessThanOrEqualTo(plan.sensitivity() * (1 + 1e-9));
      for (int physical : new int[] {SAMPLES, 4}) {
        IdentityHashMap<Parameter, double[]> actual =
            OneStep.firstStep(
                model,
                data,
                labels,
                OneStep.engine(plan, recipe.loss())
                    .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(physical))
                    .optSelfCheck(false));
        requireEqual(owned, expected, actual, recipe + " " + style + " " + function);
      }
    }
  }

  private static void requireEqual(
      List<Owned> owned,
      double[][] expected,
      IdentityHashMap<Parameter, double[]> actual,
      String name) {
    double whole = BatchOfOneOracle.norm(expected);
    double worst = 0;
    for (int k = 0; k < expected.length; k++) {
      double[] sum = Objects.requireNonNull(actual.get(owned.get(k).parameter()));
      double error = BatchOfOneOracle.relativeError(sum, expected[k]);
      // Samples may cancel in the sum of one parameter; the sum as a whole is the scale then.
      double scale = whole == 0 ? 1 : BatchOfOneOracle.norm(expected[k]) / whole;
      worst = Math.max(worst, scale < 0.01 ? error * scale : error);
    }
    Figures.report("relative error of a clipped sum by style, " + name, worst);
    assertThat(worst).isLessThan(TOLERANCE);
  }

  private static double groupNorm(
      double[][] sample, int[] order, List<Owned> owned, Style style, int group) {
    double square = 0;
    for (int k = 0; k < owned.size(); k++) {
      if (style.group(owned, k) == group) {
        double norm = BatchOfOneOracle.norm(sample[order[k]]);
        square += norm * norm;
      }
    }
    return Math.sqrt(square);
  }

  /** Each trainable parameter belongs to the first block that owns it. */
  private static void collect(HookedModel.Located located, List<Owned> owned) {
    for (Parameter parameter : located.block().getDirectParameters().values()) {
      if (parameter.requiresGradient()
          && owned.stream().noneMatch(o -> o.parameter() == parameter)) {
        owned.add(new Owned(parameter, located.block(), located.path()));
      }
    }
  }
}
