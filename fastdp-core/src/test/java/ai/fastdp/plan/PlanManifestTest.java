/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.statement.NoiseOrigin;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class PlanManifestTest {
  private static PrivacyPlanBuilder with(
      long samples, double rate, long steps, double noise, double delta, double clipNorm) {
    return PrivacyPlan.builder()
        .setDatasetSize(samples)
        .setSampleRate(rate)
        .setSteps(steps)
        .setNoiseMultiplier(noise)
        .setDelta(delta)
        .setClipNorm(clipNorm);
  }

  private static PrivacyPlanBuilder base() {
    return with(1000, 0.01, 100, 1, 1e-5, 1);
  }

  @Test
  void hash_anyChangeOfThePlan_isAnother() {
    double next = Math.nextUp(1.0);
    List<PrivacyPlan> plans =
        List.of(
            base().build(),
            with(1001, 0.01, 100, 1, 1e-5, 1).build(),
            with(1000, Math.nextUp(0.01), 100, 1, 1e-5, 1).build(),
            with(1000, 0.01, 101, 1, 1e-5, 1).build(),
            with(1000, 0.01, 100, next, 1e-5, 1).build(),
            with(1000, 0.01, 100, 1, Math.nextUp(1e-5), 1).build(),
            with(1000, 0.01, 100, 1, 1e-5, next).build(),
            base().optClipping(ClippingFunction.abadi()).build(),
            base().optClipping(ClippingFunction.automatic(Math.nextUp(0.01))).build(),
            base().optClipping(ClippingFunction.adaptiveQuantile(0.5, 2)).build(),
            base().optClipping(ClippingFunction.adaptiveQuantile(0.5, 2.5)).build(),
            base().optStyle(ClippingStyle.layerWise()).build(),
            base().optStyle(ClippingStyle.blockWise(2)).build(),
            base().optStyle(ClippingStyle.blockWise(3)).build(),
            base().optStyle(ClippingStyle.groupWise(List.of(List.of("a")))).build(),
            base().optStyle(ClippingStyle.groupWise(List.of(List.of("b")))).build(),
            base().optClipNormSchedule(StepSchedule.exponential(0.99)).build(),
            base().optClipNormSchedule(StepSchedule.exponential(0.98)).build(),
            base().optNoiseSchedule(StepSchedule.exponential(1.01)).build(),
            base().optNoiseSchedule(StepSchedule.staircase(50, 2)).build(),
            base().optNoise(NoiseDistribution.DISCRETE_GAUSSIAN).build(),
            base().optAccountant(FdpAccountant::new).build());
    Set<String> hashes = new HashSet<>();
    for (PrivacyPlan plan : plans) {
      PlanManifest text = PlanManifest.of(plan, NoiseOrigin.Kind.SECURE_STREAM);
      assertThat(hashes.add(text.hash())).as(text.text()).isTrue();
      // No object that tells nothing but its address.
      assertThat(text.text()).doesNotContain("@");
    }
  }

  @Test
  void hash_samePlanBuiltAgain_isTheSame() {
    PrivacyBudget budget = new PrivacyBudget(2, 1e-5);
    PrivacyPlanBuilder[] builders = new PrivacyPlanBuilder[2];
    for (int i = 0; i < 2; i++) {
      builders[i] =
          PrivacyPlan.builder()
              .setDatasetSize(5_000)
              .setBatchSize(64)
              .setEpochs(2)
              .setBudget(budget)
              .setClipNorm(0.1);
    }
    PlanManifest first = PlanManifest.of(builders[0].build(), NoiseOrigin.Kind.SECURE_STREAM);
    PlanManifest second = PlanManifest.of(builders[1].build(), NoiseOrigin.Kind.SECURE_STREAM);
    assertThat(second.hash()).isEqualTo(first.hash()).matches("sha256:[0-9a-f]{64}");
    assertThatCode(() -> second.requireSame(first.text())).doesNotThrowAnyException();
  }

  @Test
  void requireSame_anotherPlan_namesWhatDiffers() {
    PlanManifest plan = PlanManifest.of(base().build(), NoiseOrigin.Kind.SECURE_STREAM);
    PlanManifest other =
        PlanManifest.of(
            with(1000, 0.01, 100, 1.25, 1e-5, 1).build(), NoiseOrigin.Kind.SECURE_STREAM);
    assertThatThrownBy(() -> plan.requireSame(other.text()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("noiseMultiplier = 1.0", "noiseMultiplier = 1.25")
        .hasMessageNotContaining("clipNorm");
  }
}
