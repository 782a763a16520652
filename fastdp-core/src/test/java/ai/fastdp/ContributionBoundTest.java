/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.HostileModel.Use;
import ai.fastdp.HostileSamples.Pair;
import ai.fastdp.clipping.Clipper;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.internal.ghost.PerSampleGradients;
import ai.fastdp.internal.hook.LayerRecord;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * No sample contributes more than R, nor to a group more than the group's clip norm: the norm of
 * what one sample adds to the sum, measured in float64 on the sum itself, for more than 10,000
 * samples made to break it, under every function and style.
 */
@Tag("slow")
final class ContributionBoundTest {
  // About this many in all; a property asks for more.
  private static final int SAMPLES = Integer.getInteger("fastdp.bound.samples", 11_000);
  private static final double BOUND = 1 + 1e-5;
  private static final double[] CLIP_NORMS = {1, 1e-6, 1e-3, 1e3, 1e6};

  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  private static final List<ClippingFunction> FUNCTIONS =
      List.of(
          ClippingFunction.abadi(),
          ClippingFunction.automatic(),
          ClippingFunction.automatic(1e-8),
          ClippingFunction.automatic(1e-4),
          ClippingFunction.automatic(1),
          ClippingFunction.automaticDirection(),
          ClippingFunction.global(),
          ClippingFunction.global(3),
          ClippingFunction.adaptiveQuantile(0.5, 1));

  /**
   * Groupings of parameters named layer/number, with the groups' clip norms in the test's words.
   */
  private enum Style {
    ALL_LAYER {
      @Override
      ClippingStyle style(List<String> paths) {
        return ClippingStyle.allLayer();
      }
    },
    LAYER_WISE {
      @Override
      ClippingStyle style(List<String> paths) {
        return ClippingStyle.layerWise();
      }
    },
    PARAM_WISE {
      @Override
      ClippingStyle style(List<String> paths) {
        return ClippingStyle.paramWise();
      }
    },
    BLOCK_WISE {
      @Override
      ClippingStyle style(List<String> paths) {
        return ClippingStyle.blockWise((layers(paths).size() + 1) / 2);
      }
    },
    GROUP_WISE {
      @Override
      ClippingStyle style(List<String> paths) {
        return ClippingStyle.groupWise(layers(paths).stream().map(List::of).toList());
      }
    },
    GIVEN {
      @Override
      ClippingStyle style(List<String> paths) {
        double[] norms = new double[paths.size()];
        Arrays.setAll(norms, k -> k + 1.0);
        return ClippingStyle.paramWise().withClipNorms(norms);
      }

      @Override
      double bound(List<Integer> groups, int group) {
        int count = Collections.max(groups) + 1;
        double squares = IntStream.rangeClosed(1, count).mapToDouble(k -> 1.0 * k * k).sum();
        return (group + 1) / Math.sqrt(squares);
      }
    };

    abstract ClippingStyle style(List<String> paths);

    /** A group's clip norm over R. */
    double bound(List<Integer> groups, int group) {
      return 1 / Math.sqrt(Collections.max(groups) + 1.0);
    }

    private static List<String> layers(List<String> paths) {
      return paths.stream().map(p -> p.substring(0, p.indexOf('/'))).distinct().toList();
    }
  }

  /** What one sample alone adds to the sum of its logical batch over R, parameter by parameter. */
  private record Contribution(List<double[]> parameters, List<Integer> groups) {
    double norm() {
      return BatchOfOneOracle.norm(parameters.toArray(double[][]::new));
    }

    double normOfGroup(int group) {
      return BatchOfOneOracle.norm(
          IntStream.range(0, groups.size())
              .filter(k -> groups.get(k) == group)
              .mapToObj(parameters::get)
              .toArray(double[][]::new));
    }
  }

  private static Contribution contribution(
      NDManager scope,
      List<Use> uses,
      long cells,
      ClippingFunction function,
      double clipNorm,
      Style style) {
    PerSampleGradients gradients = new PerSampleGradients(FIXTURE.kernels(), scope, 1, cells);
    IdentityHashMap<Parameter, String> owners = new IdentityHashMap<>();
    for (Use use : uses) {
      LayerRecord record =
          new LayerRecord("layer", use.layer(), use.pair().input(), use.pair().outputGradient());
      GhostRules.standard().contribute(record, use.pair().outputGradient(), gradients);
      use.layer()
          .getDirectParameters()
          .values()
          .forEach(p -> owners.putIfAbsent(p, "layer" + System.identityHashCode(use.layer())));
    }
    List<Parameter> parameters = gradients.parameters();
    List<String> paths =
        IntStream.range(0, parameters.size())
            .mapToObj(k -> owners.get(parameters.get(k)) + "/p" + k)
            .toList();
    ClippingStyle grouping = style.style(paths);
    Clipper.Factors clipped =
        new Clipper(grouping, function, clipNorm, paths)
            .factors(
                gradients.squaredNorms(),
                IntStream.range(0, paths.size()).toArray(),
                clipNorm,
                scope.ones(new Shape(1), DataType.BOOLEAN));
    List<NDArray> targets = new ArrayList<>();
    parameters.forEach(p -> targets.add(scope.zeros(p.getShape(), DataType.FLOAT32)));
    gradients.addWeightedSums(clipped.factors(), clipped.keep(), targets);
    return new Contribution(
        targets.stream().map(t -> over(clipNorm, t.toFloatArray())).toList(),
        Arrays.stream(grouping.groups(paths)).boxed().toList());
  }

  private static double[] over(double clipNorm, float[] values) {
    double[] shares = BatchOfOneOracle.widened(values);
    Arrays.setAll(shares, j -> shares[j] / clipNorm);
    return shares;
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void contribution_hostileSamples_staysWithinClipNorm(HostileModel model) {
    HostileModel.layer("table");
    Random seeds = new Random(model.name().hashCode());
    double largest = 0;
    int saturated = 0;
    int samples = SAMPLES / (model.isSlow() ? 100 : 15);
    for (int n = 0; n < samples; n++) {
      long seed = seeds.nextLong();
      ClippingFunction function = FUNCTIONS.get(n % FUNCTIONS.size());
      Style style = Style.values()[n / FUNCTIONS.size() % Style.values().length];
      double clipNorm = CLIP_NORMS[n % CLIP_NORMS.length];
      Contribution added;
      try (NDManager scope = FIXTURE.manager().newSubManager()) {
        added =
            contribution(
                scope,
                model.uses(new HostileSamples(scope, seed)),
                model.cells(),
                function,
                clipNorm,
                style);
      }
      String sample =
          "sample "
              + n
              + " (seed "
              + seed
              + ") under "
              + function
              + ", "
              + style
              + ", R "
              + clipNorm;
      assertThat(added.norm()).as(sample).isLessThanOrEqualTo(BOUND);
      for (int group : added.groups()) {
        double share = added.normOfGroup(group) / style.bound(added.groups(), group);
        assertThat(share).as("%s, group %d", sample, group).isLessThanOrEqualTo(1 + 1e-5);
        largest = Math.max(largest, share);
        saturated += share > 0.99 ? 1 : 0;
      }
    }
    Figures.report("largest contribution over its group's bound, " + model, largest);
    // Samples that are all dropped or tiny would prove nothing.
    assertThat(saturated).isGreaterThan(samples / 10);
  }

  @Test
  void contribution_notFinite_isExactlyZero() {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      for (ClippingFunction function : FUNCTIONS) {
        for (Style style : Style.values()) {
          try (NDManager scope = FIXTURE.manager().newSubManager()) {
            float[] gradient = {1, bad, 0, 2};
            Pair pair =
                new Pair(
                    scope.create(new float[] {1, 2, 3, 4, 5}, new Shape(1, 1, 5)),
                    scope.create(gradient, new Shape(1, 1, 4)));
            Contribution added =
                contribution(
                    scope,
                    List.of(new Use(HostileModel.layer("linear"), pair)),
                    1 << 14,
                    function,
                    1,
                    style);
            assertThat(added.norm()).as("%s under %s, %s", bad, function, style).isZero();
          }
        }
      }
    }
  }

  @Test
  void contribution_zeroGradient_isExactlyZero() {
    for (ClippingFunction function : FUNCTIONS) {
      for (Style style : Style.values()) {
        try (NDManager scope = FIXTURE.manager().newSubManager()) {
          Pair pair =
              new Pair(
                  scope.create(new float[] {1, 2, 3, 4, 5}, new Shape(1, 1, 5)),
                  scope.zeros(new Shape(1, 1, 4)));
          Contribution added =
              contribution(
                  scope,
                  List.of(new Use(HostileModel.layer("linear"), pair)),
                  1 << 14,
                  function,
                  1,
                  style);
          assertThat(added.norm()).as("%s, %s", function, style).isZero();
        }
      }
    }
  }
}
