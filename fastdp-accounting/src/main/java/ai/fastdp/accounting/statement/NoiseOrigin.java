/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.statement;

import java.util.Objects;

/**
 * The source of the random numbers of a run's noise.
 *
 * @param kind what kind of source it was
 * @param description the source in words
 */
public record NoiseOrigin(Kind kind, String description) {

  /** The grounds of a source's unpredictability. */
  public enum Kind {
    /** A stream cipher keyed from the platform's secure random generator. */
    SECURE_STREAM,
    /** A compute device's statistical generator, seeded from the secure random generator. */
    DEVICE_GENERATOR,
    /** A source that repeats, as tests use it: no privacy. */
    TEST_SEED,
    /** No noise at all, for debugging: no privacy. */
    NO_NOISE,
    /** Not stated: the run is planned, or described by its events alone. */
    UNSTATED;

    /**
     * {@return whether noise of this kind can make a release private; false for a test's seed and
     * for no noise}
     */
    public boolean isPrivate() {
      return this != TEST_SEED && this != NO_NOISE;
    }
  }

  /**
   * Requires both.
   *
   * @param kind as described above
   * @param description as described above
   */
  public NoiseOrigin {
    Objects.requireNonNull(kind, "kind");
    Objects.requireNonNull(description, "description");
  }

  /** {@return the origin of a run that was not made, or that nothing is known of but its events} */
  public static NoiseOrigin unstated() {
    return new NoiseOrigin(Kind.UNSTATED, "not stated");
  }

  /**
   * {@return whether noise from here can make a release private; false for a test's seed and for a
   * run without noise}
   */
  public boolean isPrivate() {
    return kind.isPrivate();
  }

  /** A sentence for a statement. */
  String toProse() {
    return switch (kind) {
      case SECURE_STREAM ->
          "The noise came from a cryptographically secure stream (" + description + ").";
      case DEVICE_GENERATOR ->
          "The noise came from a statistical generator that is not"
              + " cryptographically secure ("
              + description
              + ").";
      case TEST_SEED -> "The noise came from a fixed test seed (" + description + ").";
      case NO_NOISE -> "No noise was added.";
      case UNSTATED ->
          "The source of the noise is not stated; the claim holds for noise that"
              + " nobody can predict.";
    };
  }
}
