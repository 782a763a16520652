/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.clipping;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which parameters each style puts together, and the groups' clip norms. */
final class ClippingStyleTest {
  private static final List<String> PATHS =
      List.of(
          "tokens/embedding",
          "layer0/up/weight",
          "layer0/up/bias",
          "layer0/down/weight",
          "layer1/up/weight",
          "layer1/up/bias",
          "layer1/down/weight",
          "norm/gamma",
          "norm/beta");

  @Test
  void groups_eachStyle_followsLayersParametersOrDepth() {
    assertThat(ClippingStyle.allLayer().groups(PATHS)).containsOnly(0).hasSize(9);
    assertThat(ClippingStyle.paramWise().groups(PATHS)).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8);
    assertThat(ClippingStyle.layerWise().groups(PATHS)).containsExactly(0, 1, 1, 2, 3, 3, 4, 5, 5);
    assertThat(ClippingStyle.blockWise(3).groups(PATHS)).containsExactly(0, 0, 0, 1, 1, 1, 2, 2, 2);
    assertThat(ClippingStyle.blockWise(4).groups(PATHS)).containsExactly(0, 0, 0, 1, 2, 2, 2, 3, 3);
    assertThat(ClippingStyle.blockWise(1).groups(PATHS)).containsOnly(0);
    assertThat(ClippingStyle.blockWise(6).groups(PATHS))
        .isEqualTo(ClippingStyle.layerWise().groups(PATHS));
    assertThat(
            ClippingStyle.groupWise(
                    List.of(
                        List.of("layer1", "norm"), List.of("tokens", "layer0/up", "layer0/down")))
                .groups(PATHS))
        .containsExactly(1, 1, 1, 1, 0, 0, 0, 0, 0);
  }

  @Test
  void groups_layersWithCommonPrefix_areNotMixedUp() {
    assertThat(
            ClippingStyle.groupWise(List.of(List.of("layer1"), List.of("layer10")))
                .groups(List.of("layer1/weight", "layer10/weight")))
        .containsExactly(0, 1);
  }

  @Test
  void clipNorms_default_areEqualAndCombineToTheWhole() {
    for (int groups : new int[] {1, 2, 3, 7, 150}) {
      double[] norms = ClippingStyle.layerWise().clipNorms(0.7, groups);
      assertThat(norms).hasSize(groups).containsOnly(0.7 / Math.sqrt(groups));
      assertThat(root(norms)).isCloseTo(0.7, within(1e-14));
    }
  }

  @Test
  void withClipNorms_given_wholeIsTheRootOfTheSumOfSquares() {
    ClippingStyle style = ClippingStyle.layerWise().withClipNorms(3, 4, 12);
    assertThat(style.clipNorm()).hasValue(13);
    assertThat(style.clipNorms(13, 3)).containsExactly(3, 4, 12);
    // Half the whole, as from a schedule: all in proportion.
    assertThat(style.clipNorms(6.5, 3)).containsExactly(1.5, 2, 6);
    assertThat(ClippingStyle.layerWise().clipNorm()).isEmpty();
    assertThatThrownBy(() -> style.clipNorms(13, 4))
        .hasMessageContaining("clipNorms must have one number for each of the 4 groups, got 3");
    assertThatThrownBy(() -> style.withClipNorms(1))
        .hasMessageContaining("clipNorms must be given once");
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, Double.POSITIVE_INFINITY, 1e200})
  void withClipNorms_notPositive_isRefused(double bad) {
    assertThatThrownBy(() -> ClippingStyle.allLayer().withClipNorms(1, bad))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("clipNorms must");
  }

  @Test
  void withClipNorms_none_isRefused() {
    assertThatThrownBy(() -> ClippingStyle.allLayer().withClipNorms())
        .hasMessageContaining("clipNorms must have one number for each group, got none");
  }

  @Test
  void blockWise_outOfRange_isRefused() {
    assertThatThrownBy(() -> ClippingStyle.blockWise(0))
        .hasMessageContaining("blocks must be >= 1, got 0");
    assertThatThrownBy(() -> ClippingStyle.blockWise(7).groups(PATHS))
        .hasMessageContaining("blocks must be <= the number of trainable layers, 6, got 7");
  }

  @Test
  void groupWise_notAPartition_isRefused() {
    assertThatThrownBy(() -> ClippingStyle.groupWise(List.of()))
        .hasMessageContaining("groups must have at least one path each");
    assertThatThrownBy(() -> ClippingStyle.groupWise(List.of(List.of("a"), List.of())))
        .hasMessageContaining("groups must have at least one path each");
    assertThatThrownBy(() -> ClippingStyle.groupWise(List.of(List.of("a"), List.of("a"))))
        .hasMessageContaining("groups must name a path once, got 'a' twice");
    assertThatThrownBy(
            () ->
                ClippingStyle.groupWise(List.of(List.of("tokens", "layer0", "layer1")))
                    .groups(PATHS))
        .hasMessageContaining("got 'norm/gamma' in none; add the path of its layer 'norm'");
    assertThatThrownBy(
            () ->
                ClippingStyle.groupWise(
                        List.of(
                            List.of("tokens", "layer0", "layer1"), List.of("norm", "layer0/up")))
                    .groups(PATHS))
        .hasMessageContaining("got 'layer0/up/weight' in two of them or twice");
    assertThatThrownBy(
            () ->
                ClippingStyle.groupWise(
                        List.of(List.of("tokens", "layer0", "layer1"), List.of("norm", "head")))
                    .groups(PATHS))
        .hasMessageContaining("got [head] without any");
  }

  private static double root(double[] norms) {
    return Math.sqrt(Arrays.stream(norms).map(n -> n * n).sum());
  }
}
