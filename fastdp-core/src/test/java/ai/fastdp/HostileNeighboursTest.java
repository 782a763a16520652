/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.fastdp.HostileSamples.Pair;
import ai.fastdp.NeighbourSums.Use;
import ai.fastdp.clipping.ClippingFunction;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One hostile sample more or less among other hostile samples changes the clipped sum by at most R,
 * with what float32 loses of the others.
 */
@Tag("slow")
final class HostileNeighboursTest {
  private static final int BATCHES = Integer.getInteger("fastdp.bound.samples", 5_000) / 100;
  private static final int SAMPLES = 12;
  private static final List<ClippingFunction> FUNCTIONS =
      List.of(
          ClippingFunction.automaticDirection(),
          ClippingFunction.automatic(1e-8),
          ClippingFunction.automatic(),
          ClippingFunction.abadi());
  private static final double[] CLIP_NORMS = {1, 1e-6, 1e6};

  @RegisterExtension static final KernelsFixture FIXTURE = new KernelsFixture();

  private enum Case {
    LINEAR("linear", 1, h -> h.pair(6, 5, 4)),
    LINEAR_LONG("linear", 1, h -> h.pair(300, 5, 4)),
    LINEAR_REUSED("linear", 2, h -> h.pair(20, 5, 4)),
    PRODUCTS("large", 1, h -> h.pair(20, 128, 144)),
    PRODUCTS_REUSED("large", 2, h -> h.pair(8, 128, 144)),
    ROWS("table", 1, h -> h.rows(100, 7, 5)),
    ROWS_REUSED("table", 2, h -> h.rows(20, 7, 5)),
    WINDOWS("conv", 1, h -> h.images(3, 6, 4, 4)),
    PATCHES("strided", 1, h -> h.images(4, 7, 4, 4)),
    SCALES("norm", 1, h -> h.pair(30, 5, 5));

    private final String layer;
    private final int uses;

    // A lambda without state.
    @SuppressWarnings("ImmutableEnumChecker")
    private final Function<HostileSamples, Pair> draw;

    Case(String layer, int uses, Function<HostileSamples, Pair> draw) {
      this.layer = layer;
      this.uses = uses;
      this.draw = draw;
    }

    private List<Use> uses(HostileSamples hostile) {
      Block block = HostileModel.layer(layer);
      List<Use> all = new ArrayList<>();
      List<Pair> before = List.of();
      for (int u = 0; u < uses; u++) {
        List<Pair> samples = Stream.generate(() -> draw.apply(hostile)).limit(SAMPLES).toList();
        if (u > 0 && hostile.coin()) {
          samples = before.stream().map(Pair::negated).toList();
        }
        all.add(
            new Use(
                block,
                joined(samples.stream().map(Pair::input)),
                joined(samples.stream().map(Pair::outputGradient))));
        before = samples;
      }
      return all;
    }

    private static NDArray joined(Stream<NDArray> samples) {
      return NDArrays.concat(new NDList(samples.toList()), 0);
    }
  }

  @ParameterizedTest
  @EnumSource
  void influence_hostileAmongHostile_staysWithinClipNorm(Case kind) {
    Random seeds = new Random(kind.name().hashCode());
    double largest = 0;
    for (int n = 0; n < BATCHES; n++) {
      long seed = seeds.nextLong();
      ClippingFunction function = FUNCTIONS.get(n % FUNCTIONS.size());
      double clipNorm = CLIP_NORMS[n % CLIP_NORMS.length];
      try (NDManager scope = FIXTURE.manager().newSubManager()) {
        List<Use> uses = kind.uses(new HostileSamples(scope, seed));
        NeighbourSums sums =
            new NeighbourSums(FIXTURE.kernels(), function, clipNorm, n % 2 == 0 ? 1 << 16 : 1);
        double influence = sums.influence(scope, uses, n % SAMPLES);
        assertThat(influence)
            .as("seed %d under %s, R %s", seed, function, clipNorm)
            .isLessThanOrEqualTo(1 + 1e-5);
        largest = Math.max(largest, influence);
      }
    }
    Figures.report("influence among hostile samples, " + kind, largest);
    assertThat(largest).isGreaterThan(0.99);
  }
}
