/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import java.util.Locale;
import java.util.Objects;
import java.util.OptionalDouble;

/**
 * What a training run may claim about its privacy, for machines and for people.
 *
 * @param unit whose privacy is protected, such as {@code record} or {@code patient}
 * @param relation which data sets count as neighbours
 * @param sampling how batches were drawn, in words
 * @param sampleRate q
 * @param noiseMultiplier sigma, relative to the clip norm
 * @param steps number of steps
 * @param delta the delta of both epsilons
 * @param accountant name of the accountant
 * @param epsilon with amplification by sampling
 * @param unamplifiedEpsilon epsilon of the same noise and steps when every step uses all data
 * @param planHash identifies the plan
 */
public record PrivacyStatement(
    String unit,
    NeighboringRelation relation,
    String sampling,
    double sampleRate,
    double noiseMultiplier,
    long steps,
    double delta,
    String accountant,
    EpsilonBound epsilon,
    EpsilonBound unamplifiedEpsilon,
    String planHash) {

  /**
   * Checks the texts.
   *
   * @param unit as described above
   * @param relation as described above
   * @param sampling as described above
   * @param sampleRate as described above
   * @param noiseMultiplier as described above
   * @param steps as described above
   * @param delta as described above
   * @param accountant as described above
   * @param epsilon as described above
   * @param unamplifiedEpsilon as described above
   * @param planHash as described above
   * @throws IllegalArgumentException if a text has quotes, backslashes or control characters
   */
  public PrivacyStatement {
    requirePlain("unit", unit);
    requirePlain("sampling", sampling);
    requirePlain("accountant", accountant);
    requirePlain("planHash", planHash);
    Objects.requireNonNull(relation, "relation");
    Objects.requireNonNull(epsilon, "epsilon");
    Objects.requireNonNull(unamplifiedEpsilon, "unamplifiedEpsilon");
  }

  /**
   * States a run of DP-SGD with Poisson sampling.
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
    DpEvent release = new GaussianEvent(noiseMultiplier);
    return ofRun(
        empty,
        unit,
        sampleRate == 1 ? "every step uses all data" : "independent Poisson sampling at every step",
        sampleRate,
        noiseMultiplier,
        new PoissonSampledEvent(sampleRate, release),
        release,
        steps,
        delta,
        planHash);
  }

  /**
   * States any run of equal steps.
   *
   * @param empty an accountant that has seen nothing
   * @param unit whose privacy is protected
   * @param sampling how batches were drawn, in words
   * @param sampleRate share of the records in a batch
   * @param noiseMultiplier noise over the largest contribution of one record
   * @param step what one step does
   * @param unsampledStep what it would do with all data
   * @param steps number of steps
   * @param delta in (0, 1)
   * @param planHash identifies the plan
   * @return the statement
   * @throws IllegalArgumentException if the accountant does not support a step
   */
  public static PrivacyStatement ofRun(
      PrivacyAccountant empty,
      String unit,
      String sampling,
      double sampleRate,
      double noiseMultiplier,
      DpEvent step,
      DpEvent unsampledStep,
      long steps,
      double delta,
      String planHash) {
    PrivacyAccountant amplified = empty.copy();
    amplified.compose(step, steps);
    PrivacyAccountant unamplified = empty.copy();
    unamplified.compose(unsampledStep, steps);
    return new PrivacyStatement(
        unit,
        empty.relation(),
        sampling,
        sampleRate,
        noiseMultiplier,
        steps,
        delta,
        empty.name(),
        amplified.epsilon(delta),
        unamplified.epsilon(delta),
        planHash);
  }

  /**
   * The statement as one JSON object.
   *
   * @return JSON; absent bounds are null
   */
  public String toJson() {
    return String.format(
        Locale.ROOT,
        "{\"unit\": \"%s\", \"adjacency\": \"%s\", \"sampling\": \"%s\", \"sampleRate\": %s,"
            + " \"noiseMultiplier\": %s, \"steps\": %d, \"delta\": %s, \"accountant\": \"%s\","
            + " \"epsilon\": %s, \"unamplifiedEpsilon\": %s, \"planHash\": \"%s\"}",
        unit,
        relation,
        sampling,
        sampleRate,
        noiseMultiplier,
        steps,
        delta,
        accountant,
        json(epsilon),
        json(unamplifiedEpsilon),
        planHash);
  }

  /**
   * The statement in words.
   *
   * @return two sentences and a list of the assumptions
   */
  public String toProse() {
    return String.format(
        Locale.ROOT,
        "The training is %s-level differentially private with %s at delta %s (%s accountant),"
            + " where neighbouring data sets differ as in %s. Without amplification by sampling"
            + " the same noise gives %s. This assumes %s with rate %s, %d steps,"
            + " per-%s contributions clipped before noise of %s times the clip norm is added, and that"
            + " nothing else computed from the data is released. Plan: %s.",
        unit,
        words(epsilon),
        delta,
        accountant,
        relation,
        words(unamplifiedEpsilon),
        sampling,
        sampleRate,
        steps,
        unit,
        noiseMultiplier,
        planHash);
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
