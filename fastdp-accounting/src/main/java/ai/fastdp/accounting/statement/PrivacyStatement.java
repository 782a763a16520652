/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.statement;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/**
 * The claim that a training run may make about its privacy, for machines and for people.
 *
 * <p>A statement is made of the events that were charged, so that it covers whatever a run did:
 * schedules of noise and sample rate, quantile queries, batches of fixed size, and steps that an
 * earlier process charged and lost. A run whose noise came from a test's seed, or that had none,
 * claims nothing: its epsilons are infinite and its words say so.
 *
 * @param unit whose privacy is protected, such as {@code record} or {@code patient}
 * @param relation which data sets count as neighbours
 * @param releases what was released, equal steps together
 * @param clipping what contributions were clipped to, in words
 * @param noise where the noise came from
 * @param delta the delta of both epsilons
 * @param accountant name of the accountant
 * @param epsilon with amplification by sampling
 * @param unamplifiedEpsilon epsilon of the same noise and steps when every step uses all data
 * @param planHash identifies the plan
 */
public record PrivacyStatement(
    String unit,
    NeighboringRelation relation,
    List<ReleaseSummary> releases,
    String clipping,
    NoiseOrigin noise,
    double delta,
    String accountant,
    EpsilonBound epsilon,
    EpsilonBound unamplifiedEpsilon,
    String planHash) {

  // More kinds of steps than this are counted in prose, not listed.
  private static final int MAX_LISTED = 4;

  /**
   * Checks the texts.
   *
   * @param unit as described above
   * @param relation as described above
   * @param releases as described above
   * @param clipping as described above
   * @param noise as described above
   * @param delta as described above
   * @param accountant as described above
   * @param epsilon as described above
   * @param unamplifiedEpsilon as described above
   * @param planHash as described above
   * @throws IllegalArgumentException if a text has quotes, backslashes or control characters, or
   *     noise that is not private has a finite epsilon
   */
  public PrivacyStatement {
    requirePlain("unit", unit);
    requirePlain("clipping", clipping);
    requirePlain("noise", noise.description());
    requirePlain("accountant", accountant);
    requirePlain("planHash", planHash);
    Objects.requireNonNull(relation, "relation");
    Objects.requireNonNull(epsilon, "epsilon");
    Objects.requireNonNull(unamplifiedEpsilon, "unamplifiedEpsilon");
    releases = List.copyOf(releases);
    if (!noise.isPrivate() && !(isInfinite(epsilon) && isInfinite(unamplifiedEpsilon))) {
      throw new IllegalArgumentException(
          "epsilon must be infinite with noise from a test seed or without noise, got " + epsilon);
    }
  }

  /**
   * States what a run has released.
   *
   * @param empty an accountant that has seen nothing
   * @param unit whose privacy is protected
   * @param events what was charged, and how often
   * @param delta in (0, 1)
   * @param clipping what contributions were clipped to, in words
   * @param noise where the noise came from
   * @param planHash identifies the plan
   * @return the statement
   * @throws IllegalArgumentException if the accountant does not support an event
   */
  public static PrivacyStatement of(
      PrivacyAccountant empty,
      String unit,
      Map<DpEvent, Long> events,
      double delta,
      String clipping,
      NoiseOrigin noise,
      String planHash) {
    PrivacyAccountant amplified = empty.copy();
    PrivacyAccountant unamplified = empty.copy();
    events.forEach(
        (event, count) -> {
          amplified.compose(event, count);
          unamplified.compose(event.accept(new WithoutSampling()), count);
        });
    EpsilonBound none = EpsilonBound.atMost(Double.POSITIVE_INFINITY);
    return new PrivacyStatement(
        unit,
        empty.relation(),
        ReleaseSummary.of(events),
        clipping,
        noise,
        delta,
        empty.name(),
        noise.isPrivate() ? amplified.epsilon(delta) : none,
        noise.isPrivate() ? unamplified.epsilon(delta) : none,
        planHash);
  }

  /**
   * States a planned run of DP-SGD with Poisson sampling.
   *
   * @param empty an accountant that has seen nothing
   * @param unit whose privacy is protected
   * @param sampleRate q
   * @param noiseMultiplier sigma
   * @param steps number of steps
   * @param delta in (0, 1)
   * @param planHash identifies the plan
   * @return the statement
   */
  public static PrivacyStatement ofPoissonRun(
      PrivacyAccountant empty,
      String unit,
      double sampleRate,
      double noiseMultiplier,
      long steps,
      double delta,
      String planHash) {
    DpEvent step = new PoissonSampledEvent(sampleRate, new GaussianEvent(noiseMultiplier));
    return ofPlannedRun(empty, unit, step, steps, delta, planHash);
  }

  /**
   * States a planned run of equal steps.
   *
   * @param empty an accountant that has seen nothing
   * @param unit whose privacy is protected
   * @param step what one step does
   * @param steps number of steps
   * @param delta in (0, 1)
   * @param planHash identifies the plan
   * @return the statement
   * @throws IllegalArgumentException if the accountant does not support a step
   */
  public static PrivacyStatement ofPlannedRun(
      PrivacyAccountant empty,
      String unit,
      DpEvent step,
      long steps,
      double delta,
      String planHash) {
    return of(
        empty, unit, Map.of(step, steps), delta, "the clip norm", NoiseOrigin.unstated(), planHash);
  }

  /** {@return the number of steps of all releases} */
  public long steps() {
    return releases.stream().mapToLong(ReleaseSummary::steps).sum();
  }

  /**
   * The statement as one JSON object.
   *
   * @return JSON; absent bounds are null, and {@code private} is false for a run that claims
   *     nothing
   */
  public String toJson() {
    return String.format(
        Locale.ROOT,
        "{\"private\": %s, \"unit\": \"%s\", \"adjacency\": \"%s\", \"steps\": %d, \"releases\":"
            + " [%s], \"clipping\": \"%s\", \"noise\": {\"kind\": \"%s\", \"source\": \"%s\"},"
            + " \"delta\": %s, \"accountant\": \"%s\", \"epsilon\": %s, \"unamplifiedEpsilon\":"
            + " %s, \"planHash\": \"%s\"}",
        noise.isPrivate(),
        unit,
        relation,
        steps(),
        releases.stream().map(ReleaseSummary::toJson).collect(Collectors.joining(", ")),
        clipping,
        noise.kind(),
        noise.description(),
        delta,
        accountant,
        json(epsilon),
        json(unamplifiedEpsilon),
        planHash);
  }

  /** {@return the statement in words: the claim, the releases, and the assumptions} */
  public String toProse() {
    return String.format(
        Locale.ROOT,
        "%s %s Released: %s. Per-%s contributions were clipped to %s before noise was added. It is"
            + " assumed that nothing else computed from the data is released. Plan: %s.",
        claim(),
        noise.toProse(),
        released(),
        unit,
        clipping,
        planHash);
  }

  private String claim() {
    if (!noise.isPrivate()) {
      return noise.kind() == NoiseOrigin.Kind.NO_NOISE
          ? "The training is not differentially private: no noise was added."
          : "The training is not differentially private: whoever knows the seed can take the noise"
              + " away.";
    }
    return String.format(
        Locale.ROOT,
        "The training is %s-level differentially private with %s at delta %s (%s accountant), where"
            + " neighbouring data sets differ as in %s. Without amplification by sampling the same"
            + " noise gives %s.",
        unit,
        words(epsilon),
        delta,
        accountant,
        relation,
        words(unamplifiedEpsilon));
  }

  private String released() {
    if (releases.isEmpty()) {
      return "nothing";
    }
    String listed =
        releases.stream()
            .limit(MAX_LISTED)
            .map(ReleaseSummary::toProse)
            .collect(Collectors.joining("; "));
    return releases.size() <= MAX_LISTED
        ? listed
        : listed
            + "; and "
            + (releases.size() - MAX_LISTED)
            + " more kinds of steps, "
            + steps()
            + " steps in all";
  }

  private static boolean isInfinite(EpsilonBound bound) {
    return bound.upper().isPresent() && bound.upper().getAsDouble() == Double.POSITIVE_INFINITY;
  }

  private static String words(EpsilonBound bound) {
    if (bound.upper().isPresent()) {
      // Rounded up to four digits, never down.
      double upper = bound.upper().getAsDouble();
      return upper < Double.POSITIVE_INFINITY
          ? "epsilon <= "
              + new java.math.BigDecimal(upper)
                  .round(new java.math.MathContext(4, java.math.RoundingMode.UP))
                  .stripTrailingZeros()
                  .toPlainString()
          : "no finite epsilon";
    }
    return "an estimated, not guaranteed, epsilon of " + bound.estimate().orElse(Double.NaN);
  }

  private static String json(EpsilonBound bound) {
    return "{\"lower\": "
        + json(bound.lower())
        + ", \"estimate\": "
        + json(bound.estimate())
        + ", \"upper\": "
        + json(bound.upper())
        + "}";
  }

  private static String json(OptionalDouble value) {
    if (value.isEmpty()) {
      return "null";
    }
    double number = value.getAsDouble();
    return number < Double.POSITIVE_INFINITY ? String.valueOf(number) : "\"Infinity\"";
  }

  private static void requirePlain(String name, String text) {
    if (!text.matches("[^\"\\\\\\p{Cntrl}]*")) {
      throw new IllegalArgumentException(
          name + " must not have quotes, backslashes or control characters, got " + text);
    }
  }
}
