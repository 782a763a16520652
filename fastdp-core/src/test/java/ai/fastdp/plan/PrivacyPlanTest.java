/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.fastdp.PerformanceOptions;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.ledger.InMemoryLedger;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.clipping.ClippingStyle;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The plan's checks and the numbers it derives. */
final class PrivacyPlanTest {
  private static PrivacyPlanBuilder complete() {
    return PrivacyPlan.builder()
        .setDatasetSize(1000)
        .setBatchSize(100)
        .setEpochs(3)
        .setBudget(new PrivacyBudget(3, 1e-5))
        .setClipNorm(0.5);
  }

  @Test
  void build_complete_derivesEverythingFromTheDeclaredNumbers() {
    PrivacyPlan plan = complete().build();
    assertThat(plan.datasetSize()).isEqualTo(1000);
    assertThat(plan.expectedBatchSize()).isEqualTo(100);
    assertThat(plan.sampleRate()).isEqualTo(0.1);
    assertThat(plan.steps()).isEqualTo(30);
    assertThat(plan.clipNorm()).isEqualTo(0.5);
    assertThat(plan.sensitivity()).isEqualTo(0.5);
    assertThat(plan.clipping()).isEqualTo(ClippingFunction.automatic());
    assertThat(plan.style()).isEqualTo(ClippingStyle.allLayer());
    assertThat(plan.budget()).isEqualTo(new PrivacyBudget(3, 1e-5));
    assertThat(plan.stepEvent(0))
        .isEqualTo(new PoissonSampledEvent(0.1, new GaussianEvent(plan.noiseMultiplier())));
  }

  @Test
  void build_sampleRate_givesTheExpectedBatchSize() {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(1000)
            .setSampleRate(0.25)
            .setSteps(7)
            .setNoiseMultiplier(2)
            .setDelta(1e-6)
            .setClipNorm(1)
            .optClipping(ClippingFunction.abadi())
            .build();
    assertThat(plan.expectedBatchSize()).isEqualTo(250);
    assertThat(plan.sampleRate()).isEqualTo(0.25);
    assertThat(plan.steps()).isEqualTo(7);
    assertThat(plan.noiseMultiplier()).isEqualTo(2);
    assertThat(plan.budget().delta()).isEqualTo(1e-6);
    double exact = epsilon(0.25, 2, 7, 1e-6);
    assertThat(plan.budget().epsilon()).isGreaterThanOrEqualTo(exact);
    assertThat(plan.budget().epsilon()).isLessThan(exact * (1 + 1e-9));
  }

  @ParameterizedTest(name = "{0} samples, batches of {1}, {2} epochs")
  @CsvSource({
    "1000, 100, 3, 30",
    "1000, 64, 1, 16",
    "1000, 64, 10, 157",
    "1000, 999, 1, 2",
    "10, 10, 1, 1",
    "10, 10, 0.01, 1",
    "7, 3, 3, 7",
    "7, 2, 1.5, 6",
    "1000, 64, 0.064, 1",
    "1000, 64, 0.0641, 2"
  })
  void build_epochs_stepsAreRoundedUp(long samples, int batch, double epochs, long steps) {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(samples)
            .setBatchSize(batch)
            .setEpochs(epochs)
            .setNoiseMultiplier(1)
            .setDelta(1e-5)
            .setClipNorm(1)
            .build();
    assertThat(plan.steps()).isEqualTo(steps);
  }

  @Property(tries = 2000)
  void build_anySizes_stepsCoverTheEpochs(
      @ForAll @IntRange(min = 1, max = 100_000) int samples,
      @ForAll @IntRange(min = 1, max = 100_000) int batch,
      @ForAll @IntRange(min = 1, max = 100) int epochs) {
    int size = Math.min(batch, samples);
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(samples)
            .setBatchSize(size)
            .setEpochs(epochs)
            .setNoiseMultiplier(100)
            .setDelta(1e-6)
            .setClipNorm(1)
            .build();
    // In whole numbers: the least T with T B >= E N.
    assertThat(plan.steps() * size).isGreaterThanOrEqualTo((long) epochs * samples);
    assertThat((plan.steps() - 1) * size).isLessThan((long) epochs * samples);
    assertThat(plan.sampleRate()).isGreaterThan(0).isLessThanOrEqualTo(1);
  }

  @Property(tries = 40)
  void build_anyBudget_calibrationNeverOvershootsAndWastesLittle(
      @ForAll @DoubleRange(min = 0.1, max = 20) double epsilon,
      @ForAll @IntRange(min = 1, max = 5000) int steps,
      @ForAll @IntRange(min = 1, max = 1000) int batch) {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(1000)
            .setBatchSize(batch)
            .setSteps(steps)
            .setBudget(new PrivacyBudget(epsilon, 1e-5))
            .setClipNorm(1)
            .build();
    double spent = epsilon(plan.sampleRate(), plan.noiseMultiplier(), steps, 1e-5);
    assertThat(spent).isLessThanOrEqualTo(epsilon).isGreaterThan(epsilon * 0.999);
  }

  private static double epsilon(double rate, double noise, long steps, double delta) {
    RdpAccountant accountant = new RdpAccountant();
    accountant.compose(new PoissonSampledEvent(rate, new GaussianEvent(noise)), steps);
    return accountant.epsilon(delta).upper().orElseThrow();
  }

  @Test
  void build_hugeNoise_hasASmallPositiveBudget() {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(1000)
            .setBatchSize(1)
            .setSteps(1)
            .setNoiseMultiplier(1e12)
            .setDelta(1e-5)
            .setClipNorm(1)
            .build();
    assertThat(plan.budget().epsilon()).isPositive().isLessThan(1e-3);
  }

  @Test
  void build_noiseTooSmallToProveAnything_isRefused() {
    PrivacyPlanBuilder builder =
        PrivacyPlan.builder()
            .setDatasetSize(1000)
            .setBatchSize(100)
            .setSteps(1000)
            .setNoiseMultiplier(1e-200)
            .setDelta(1e-5)
            .setClipNorm(1);
    assertThatThrownBy(builder::build).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void build_budgetOutOfReach_saysSo() {
    PrivacyPlanBuilder builder =
        PrivacyPlan.builder()
            .setDatasetSize(1000)
            .setSampleRate(1)
            .setSteps(1_000_000_000_000_000L)
            .setBudget(new PrivacyBudget(1e-6, 1e-9))
            .setClipNorm(1);
    assertThatThrownBy(builder::build)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("epsilon must be reachable");
  }

  // ---------------------------------------------------------------- numbers without meaning

  @ParameterizedTest
  @ValueSource(doubles = {1e-3, 0.0011, 0.5})
  void build_deltaOfOneInTheDatasetSize_isRefusedUnlessWanted(double delta) {
    for (UnaryOperator<PrivacyPlanBuilder> privacy :
        List.<UnaryOperator<PrivacyPlanBuilder>>of(
            b -> b.setBudget(new PrivacyBudget(3, delta)),
            b -> b.setNoiseMultiplier(1).setDelta(delta))) {
      assertThatThrownBy(() -> privacy.apply(withoutPrivacy()).build())
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("delta must be < 1 / datasetSize (0.001), got " + delta)
          .hasMessageContaining("optLargeDelta()");
      assertThatThrownBy(() -> privacy.apply(withoutPrivacy()).optLargeEpsilon().build())
          .hasMessageContaining("delta must be");
      PrivacyPlan plan = privacy.apply(withoutPrivacy()).optLargeDelta().build();
      assertThat(plan.budget().delta()).isEqualTo(delta);
    }
  }

  @Test
  void build_deltaBelowOneInTheDatasetSize_isTaken() {
    double delta = Math.nextDown(1e-3);
    PrivacyPlan plan = withoutPrivacy().setBudget(new PrivacyBudget(3, delta)).build();
    assertThat(plan.budget().delta()).isEqualTo(delta);
  }

  @Test
  void build_epsilonAboveAHundred_isRefusedUnlessWanted() {
    for (UnaryOperator<PrivacyPlanBuilder> privacy :
        List.<UnaryOperator<PrivacyPlanBuilder>>of(
            b -> b.setBudget(new PrivacyBudget(Math.nextUp(100.0), 1e-5)),
            b -> b.setNoiseMultiplier(0.1).setDelta(1e-5))) {
      assertThatThrownBy(() -> privacy.apply(withoutPrivacy()).build())
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("epsilon must be <= 100.0, got ")
          .hasMessageContaining("optLargeEpsilon()");
      assertThatThrownBy(() -> privacy.apply(withoutPrivacy()).optLargeDelta().build())
          .hasMessageContaining("epsilon must be");
      PrivacyPlan plan = privacy.apply(withoutPrivacy()).optLargeEpsilon().build();
      assertThat(plan.budget().epsilon()).isGreaterThan(100);
    }
    assertThatThrownBy(() -> withoutPrivacy().setNoiseMultiplier(0.1).setDelta(1e-5).build())
        .hasMessageContaining("from noiseMultiplier 0.1; raise the noiseMultiplier");
    withoutPrivacy().setBudget(new PrivacyBudget(100, 1e-5)).build();
  }

  private static PrivacyPlanBuilder withoutPrivacy() {
    return PrivacyPlan.builder().setDatasetSize(1000).setBatchSize(100).setEpochs(3).setClipNorm(1);
  }

  // ---------------------------------------------------------------- single numbers

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE})
  void setDatasetSize_belowOne_isRefused(long value) {
    refused("datasetSize must be >= 1, got " + value, b -> b.setDatasetSize(value));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, Integer.MIN_VALUE})
  void setBatchSize_belowOne_isRefused(int value) {
    refused("batchSize must be >= 1, got " + value, b -> b.setBatchSize(value));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1})
  void setSteps_belowOne_isRefused(long value) {
    refused("steps must be >= 1, got " + value, b -> b.setSteps(value));
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -0.0, -1, 1.0000001, Double.POSITIVE_INFINITY})
  void setSampleRate_outsideUnitInterval_isRefused(double value) {
    refused("sampleRate must be in (0, 1], got " + value, b -> b.setSampleRate(value));
  }

  @ParameterizedTest
  @ValueSource(
      doubles = {Double.NaN, 0, -0.0, -1, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void setPositiveNumber_notPositiveOrNotFinite_isRefused(double value) {
    refused("epochs must be finite and > 0, got " + value, b -> b.setEpochs(value));
    refused(
        "noiseMultiplier must be finite and > 0, got " + value, b -> b.setNoiseMultiplier(value));
    refused("clipNorm must be finite and > 0, got " + value, b -> b.setClipNorm(value));
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, 1, Double.POSITIVE_INFINITY})
  void setDelta_outsideOpenUnitInterval_isRefused(double value) {
    refused("delta must be in (0, 1), got " + value, b -> b.setDelta(value));
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, Double.POSITIVE_INFINITY})
  void automatic_stabilityNotPositive_isRefused(double value) {
    assertThatThrownBy(() -> ClippingFunction.automatic(value))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("stability must be finite and > 0, got " + value);
  }

  private static void refused(String message, Consumer<PrivacyPlanBuilder> call) {
    assertThatThrownBy(() -> call.accept(PrivacyPlan.builder()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  // ---------------------------------------------------------------- numbers together

  @Test
  void set_twice_isRefused() {
    List<UnaryOperator<PrivacyPlanBuilder>> setters =
        List.of(
            b -> b.setDatasetSize(5),
            b -> b.setBatchSize(5),
            b -> b.setSampleRate(0.5),
            b -> b.setEpochs(5),
            b -> b.setSteps(5),
            b -> b.setBudget(new PrivacyBudget(1, 1e-5)),
            b -> b.setNoiseMultiplier(5),
            b -> b.setDelta(0.5),
            b -> b.setClipNorm(5));
    for (UnaryOperator<PrivacyPlanBuilder> setter : setters) {
      PrivacyPlanBuilder once = setter.apply(PrivacyPlan.builder());
      assertThatThrownBy(() -> setter.apply(once))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("must be set once");
    }
  }

  @Test
  void build_batchLargerThanTheDatasetSize_isRefused() {
    assertThatThrownBy(
            () ->
                PrivacyPlan.builder()
                    .setDatasetSize(10)
                    .setBatchSize(11)
                    .setSteps(1)
                    .setNoiseMultiplier(1)
                    .setDelta(1e-5)
                    .setClipNorm(1)
                    .build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("batchSize must be <= datasetSize (10), got 11");
  }

  @Test
  void build_missingNumber_isRefused() {
    missing("datasetSize must be set", b -> b.setClipNorm(1));
    missing("clipNorm must be set", b -> b.setDatasetSize(10));
    missing("exactly one of batchSize and sampleRate", b -> b.setDatasetSize(10).setClipNorm(1));
    missing(
        "exactly one of steps and epochs",
        b -> b.setDatasetSize(10).setClipNorm(1).setBatchSize(2));
    missing(
        "exactly one of budget and noiseMultiplier",
        b -> b.setDatasetSize(10).setClipNorm(1).setBatchSize(2).setSteps(1));
    missing(
        "delta must be set",
        b -> b.setDatasetSize(10).setClipNorm(1).setBatchSize(2).setSteps(1).setNoiseMultiplier(1));
  }

  @Test
  void build_oneNumberTooMany_isRefused() {
    missing("exactly one of batchSize and sampleRate", b -> complete(b).setSampleRate(0.1));
    missing("exactly one of steps and epochs", b -> complete(b).setSteps(1));
    missing("exactly one of budget and noiseMultiplier", b -> complete(b).setNoiseMultiplier(1));
    missing("delta must not be set beside a budget", b -> complete(b).setDelta(0.1));
  }

  private static PrivacyPlanBuilder complete(PrivacyPlanBuilder builder) {
    return builder
        .setDatasetSize(1000)
        .setBatchSize(100)
        .setEpochs(3)
        .setBudget(new PrivacyBudget(3, 1e-5))
        .setClipNorm(0.5);
  }

  private static void missing(String message, UnaryOperator<PrivacyPlanBuilder> numbers) {
    assertThatThrownBy(() -> numbers.apply(PrivacyPlan.builder()).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(message);
  }

  @Test
  void build_tooManySteps_isRefused() {
    assertThatThrownBy(
            () ->
                PrivacyPlan.builder()
                    .setDatasetSize(1000)
                    .setBatchSize(1)
                    .setEpochs(1e13)
                    .setNoiseMultiplier(1)
                    .setDelta(1e-5)
                    .setClipNorm(1)
                    .build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("at most 1e15 steps");
  }

  // ---------------------------------------------------------------- adaptive clipping, schedules

  private static PrivacyPlanBuilder adaptive(double countNoise) {
    return complete().optClipping(ClippingFunction.adaptiveQuantile(0.5, countNoise));
  }

  @Test
  void build_adaptiveWithABudget_gradientNoiseIsThePapersSplit() {
    double sigma = complete().build().noiseMultiplier();
    for (double countNoise : new double[] {0.6 * sigma, sigma, 5, 100}) {
      PrivacyPlan plan = adaptive(countNoise).build();
      double split = Math.pow(Math.pow(sigma, -2) - Math.pow(2 * countNoise, -2), -0.5);
      assertThat(plan.noiseMultiplier()).isCloseTo(split, within(1e-6 * split));
      // The queries are in the run's price, by hand: two Gaussian releases of each sample.
      RdpAccountant accountant = new RdpAccountant();
      double together =
          Math.pow(Math.pow(plan.noiseMultiplier(), -2) + Math.pow(2 * countNoise, -2), -0.5);
      accountant.compose(
          new PoissonSampledEvent(plan.sampleRate(), new GaussianEvent(together)), plan.steps());
      assertThat(accountant.epsilon(1e-5).upper().orElseThrow())
          .isCloseTo(3, within(1e-6))
          .isLessThanOrEqualTo(3 * (1 + 1e-9));
    }
  }

  @Test
  void build_adaptiveWithANoiseMultiplier_queriesAreChargedOnTop() {
    PrivacyPlanBuilder numbers =
        PrivacyPlan.builder()
            .setDatasetSize(1000)
            .setBatchSize(100)
            .setSteps(30)
            .setNoiseMultiplier(2)
            .setDelta(1e-5)
            .setClipNorm(1)
            .optClipping(ClippingFunction.adaptiveQuantile(0.5, 0.5));
    PrivacyPlan plan = numbers.build();
    // sigma = (1/4 + 1)^(-1/2) where a count without a charge would leave 2.
    assertThat(plan.budget().epsilon())
        .isCloseTo(epsilon(0.1, 1 / Math.sqrt(1.25), 30, 1e-5), within(1e-6));
    assertThat(plan.budget().epsilon()).isGreaterThan(2 * epsilon(0.1, 2, 30, 1e-5));
  }

  @Test
  void build_countNoiseTooSmallForTheBudget_isRefused() {
    assertThatThrownBy(() -> adaptive(0.01).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("countNoise must be large enough")
        .hasMessageContaining("got 0.01");
  }

  @Test
  void build_noiseSchedule_runFitsTheBudgetAndEveryStepIsCharged() {
    PrivacyPlan plan = complete().optNoiseSchedule(StepSchedule.exponential(0.97)).build();
    PrivacyAccountant accountant = plan.newAccountant();
    InMemoryLedger ledger = new InMemoryLedger(plan.newAccountant(), plan.budget());
    for (long t = 0; t < plan.steps(); t++) {
      double asked = plan.noiseMultiplier() * Math.pow(0.97, (double) t);
      assertThat(plan.noiseMultiplier(t)).isBetween(asked * (1 - 1e-9), asked * 1.0110);
      assertThat(plan.stepEvent(t))
          .isEqualTo(new PoissonSampledEvent(0.1, new GaussianEvent(plan.noiseMultiplier(t))));
      accountant.compose(plan.stepEvent(t));
      ledger.charge(plan.stepEvent(t));
    }
    assertThat(accountant.epsilon(1e-5).upper().orElseThrow())
        .isCloseTo(3, within(1e-6))
        .isLessThanOrEqualTo(3 * (1 + 1e-12));
    PrivacyAccountant whole = plan.newAccountant();
    whole.compose(plan.runEvent());
    assertThat(whole.epsilon(1e-5).upper().orElseThrow())
        .isCloseTo(accountant.epsilon(1e-5).upper().orElseThrow(), within(1e-12));
    assertThatThrownBy(() -> ledger.charge(plan.stepEvent(0)))
        .isInstanceOf(ai.fastdp.accounting.ledger.PrivacyBudgetExceededException.class);
  }

  @Test
  void build_clipNormSchedule_privacyCostStaysAndClipNormFollows() {
    PrivacyPlan plan = complete().optClipNormSchedule(StepSchedule.staircase(10, 0.5)).build();
    assertThat(plan.noiseMultiplier()).isEqualTo(complete().build().noiseMultiplier());
    assertThat(plan.clipNorm(0)).isEqualTo(0.5);
    assertThat(plan.clipNorm(9)).isEqualTo(0.5);
    assertThat(plan.clipNorm(10)).isEqualTo(0.25);
    assertThat(plan.clipNorm(29)).isEqualTo(0.125);
    assertThat(plan.stepEvent(0)).isEqualTo(plan.stepEvent(29));
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, 0, -1, Double.POSITIVE_INFINITY})
  void build_scheduleNotPositive_isRefused(double bad) {
    StepSchedule schedule = step -> step == 7 ? bad : 1;
    assertThatThrownBy(() -> complete().optClipNormSchedule(schedule).build())
        .hasMessageContaining(
            "clipNormSchedule must be finite and > 0 at every step, got " + bad + " at step 7");
    assertThatThrownBy(() -> complete().optNoiseSchedule(schedule).build())
        .hasMessageContaining(
            "noiseSchedule must be finite and > 0 at every step, got " + bad + " at step 7");
  }

  @Test
  void build_scheduleAskedTwice_isNotAsked() {
    // A function that answers differently later must not reach the run.
    long[] calls = {0};
    PrivacyPlan plan = complete().optClipNormSchedule(step -> ++calls[0]).build();
    assertThat(calls[0]).isEqualTo(30);
    assertThat(plan.clipNorm(4)).isEqualTo(2.5);
    assertThat(plan.clipNorm(4)).isEqualTo(2.5);
    assertThat(calls[0]).isEqualTo(30);
  }

  @Test
  void build_whatDoesNotFitTogether_isRefused() {
    assertThatThrownBy(() -> adaptive(50).optClipNormSchedule(step -> 1).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("clipNormSchedule must not be set beside adaptive clipping");
    assertThatThrownBy(
            () -> complete().optStyle(ClippingStyle.layerWise().withClipNorms(3, 4)).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("clipNorm must not be set beside a style");
    assertThatThrownBy(() -> StepSchedule.staircase(0, 1))
        .hasMessageContaining("every must be >= 1, got 0");
    assertThatThrownBy(
            () ->
                PrivacyPlan.builder()
                    .setDatasetSize(10)
                    .setBatchSize(1)
                    .setSteps(1_000_001)
                    .setNoiseMultiplier(1)
                    .setDelta(1e-5)
                    .setClipNorm(1)
                    .optNoiseSchedule(step -> 1)
                    .build())
        .hasMessageContaining("steps must be <= 1000000 with a noiseSchedule");
    assertThatThrownBy(() -> complete().optClipNormSchedule(step -> 1e-25).build())
        .hasMessageContaining("must be in [1e-18, 1e18]");
  }

  @Test
  void build_givenClipNorms_planTakesTheirRoot() {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(1000)
            .setBatchSize(100)
            .setEpochs(3)
            .setBudget(new PrivacyBudget(3, 1e-5))
            .optStyle(ClippingStyle.layerWise().withClipNorms(3, 4))
            .build();
    assertThat(plan.clipNorm()).isEqualTo(5);
    assertThat(plan.sensitivity()).isEqualTo(5);
  }

  @Test
  void newAccountant_eachCall_isFresh() {
    PrivacyPlan plan = complete().build();
    PrivacyAccountant first = plan.newAccountant();
    first.compose(plan.stepEvent(0), 5);
    assertThat(plan.newAccountant().epsilon(1e-5).upper().orElseThrow()).isZero();
    assertThat(first.epsilon(1e-5).upper().orElseThrow()).isPositive();
  }

  @Test
  void performanceOptions_outOfRange_isRefused() {
    assertThatThrownBy(() -> PerformanceOptions.defaults().withPhysicalBatchSize(0))
        .hasMessageContaining("physicalBatchSize must be >= 1, got 0");
    assertThatThrownBy(() -> PerformanceOptions.defaults().withTemporaryBytes(65_535))
        .hasMessageContaining("temporaryBytes must be >= 65536, got 65535");
  }
}
