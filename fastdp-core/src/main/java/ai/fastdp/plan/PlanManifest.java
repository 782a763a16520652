/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.statement.NoiseOrigin;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * A plan in words, one number a line: what a ledger and a checkpoint remember of it.
 *
 * <p>Everything that privacy depends on is in it, and nothing else. Numbers are written so that
 * different ones give different texts.
 */
public final class PlanManifest {
  private final PrivacyPlan plan;
  private final List<String> lines = new ArrayList<>();

  private PlanManifest(PrivacyPlan plan, NoiseOrigin.Kind noise) {
    this.plan = plan;
    PrivacyAccountant accountant = plan.newAccountant();
    add("sampling", "Poisson");
    // Ledgers and checkpoints keep the words that they began with.
    add("sampleSize", plan.datasetSize());
    add("sampleRate", plan.sampleRate());
    add("expectedBatchSize", plan.expectedBatchSize());
    add("steps", plan.steps());
    add("noise", plan.noise());
    add("noiseSource", noise);
    add("noiseMultiplier", plan.noiseMultiplier());
    add("clipNorm", plan.clipNorm());
    add("clipping", plan.clipping());
    add("style", plan.style());
    add("sensitivity", plan.sensitivity());
    add("firstStep", plan.stepEvent(0));
    add("schedule", schedule(plan));
    add("accountant", accountant.name());
    add("relation", accountant.relation());
    add("epsilon", plan.budget().epsilon());
    add("delta", plan.budget().delta());
  }

  /**
   * Writes a plan in lines of text.
   *
   * @param plan what the run will do
   * @param noise the kind of source that its noise is from
   * @return the manifest
   */
  public static PlanManifest of(PrivacyPlan plan, NoiseOrigin.Kind noise) {
    return new PlanManifest(plan, noise);
  }

  /** Hashes every step's clip norm and noise multiplier. */
  private static String schedule(PrivacyPlan plan) {
    if (plan.isConstant()) {
      return "constant";
    }
    MessageDigest digest = newDigest();
    ByteBuffer numbers = ByteBuffer.allocate(2 * Double.BYTES);
    for (long t = 0; t < plan.steps(); t++) {
      numbers.putDouble(0, plan.clipNorm(t)).putDouble(Double.BYTES, plan.noiseMultiplier(t));
      digest.update(numbers.array());
    }
    return "sha256:" + HexFormat.of().formatHex(digest.digest());
  }

  private void add(String name, Object value) {
    lines.add(name + " = " + value);
  }

  /**
   * Returns what contributions are clipped to, for a statement.
   *
   * @return a clause, such as {@code norm 1.0}
   */
  public String clippingInWords() {
    StepClipping clipping = plan.stepClipping();
    double share = plan.noise().clipShare();
    String norms;
    if (clipping.function().quantileQuery().isPresent()) {
      norms =
          "a norm that follows a private quantile query, "
              + clipping.clipNorm()
              + " at the first step";
    } else if (clipping.factors().isConstant()) {
      norms = "norm " + clipping.clipNorm();
    } else {
      norms =
          "norm "
              + clipping.clipNorm()
              + " times the factors of a schedule that was set before the run";
    }
    return share < 1 ? norms + ", less " + (1 - share) + " of it for rounding," : norms;
  }

  /**
   * Returns all that decides on privacy, a line each.
   *
   * @return the text that ledgers, checkpoints and reports hold
   */
  public String text() {
    return String.join("\n", lines);
  }

  /**
   * Returns the hash that identifies the plan; it is the same in every run.
   *
   * @return {@code sha256:} and 64 hexadecimal digits
   */
  public String hash() {
    byte[] hash = newDigest().digest(text().getBytes(StandardCharsets.UTF_8));
    return "sha256:" + HexFormat.of().formatHex(hash);
  }

  private static MessageDigest newDigest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform must have SHA-256", e);
    }
  }

  /**
   * Checks that a stored plan is this one.
   *
   * @param stored the text of the manifest that a run began with
   * @throws IllegalStateException if it is not, with the lines that differ
   */
  public void requireSame(String stored) {
    if (stored.equals(text())) {
      return;
    }
    List<String> expected = stored.lines().toList();
    List<String> missing = expected.stream().filter(line -> !lines.contains(line)).toList();
    List<String> added = lines.stream().filter(line -> !expected.contains(line)).toList();
    throw new IllegalStateException(
        "plan must be the one that the run began with, got "
            + added
            + " instead of "
            + missing
            + "; resume with the old plan, or begin a new run with its own budget");
  }
}
