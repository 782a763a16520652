/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import ai.fastdp.plan.PrivacyPlan;
import java.util.List;
import java.util.Locale;

/**
 * The privacy of a finished run.
 *
 * @param epsilon the epsilon spent, an upper bound
 * @param stepsCharged the updates it pays for
 * @param plan what decided it
 * @param publicDatasetSize whether the dataset size was declared, and not read off the data
 * @param scope what it is for
 */
public record Guarantee(
    double epsilon, long stepsCharged, PrivacyPlan plan, boolean publicDatasetSize, Scope scope) {

  /** The guarantee in one line. */
  String statement() {
    return String.format(
        Locale.ROOT,
        "Privacy: epsilon = %.4f at delta = %s (noise multiplier %.4f, clip norm %s)",
        epsilon,
        plan.budget().delta(),
        plan.noiseMultiplier(),
        plan.clipNorm());
  }

  /** What the guarantee rests on, and what it does not cover. */
  List<String> assumptions() {
    return List.of(
        "It is for "
            + scope.results
            + ": adding or removing any one of the"
            + " training samples changes the probability of any result by at most a factor"
            + " e^epsilon, but for delta.",
        String.format(
            Locale.ROOT,
            "Each sample entered each of the %d updates with probability %.6g, independently"
                + " (Poisson sampling). Epsilon is an upper bound by Renyi differential privacy.",
            stepsCharged,
            plan.sampleRate()),
        publicDatasetSize
            ? "The dataset size, " + plan.datasetSize() + ", was declared by the user."
            : "The number of training samples, " + plan.datasetSize() + ", is treated as public.",
        "One who contributed k samples has a weaker guarantee: epsilon is about k times as large.",
        scope.publicInputs
            + " are public. If they were chosen by looking at the training samples, that is not"
            + " accounted for.",
        "Not private are the loss and the speed shown during training. The held-out losses are"
            + " computed from the held-out samples, which the guarantee does not cover.");
  }

  /**
   * What a guarantee is for, in an example's own words.
   *
   * @param results what is private, to follow "it is for"
   * @param publicInputs what it takes for public, to begin a sentence
   */
  public record Scope(String results, String publicInputs) {}
}
