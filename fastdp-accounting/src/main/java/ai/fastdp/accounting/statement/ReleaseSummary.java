/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.statement;

import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.UnsupportedEventException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The releases of a number of equal steps, for a statement.
 *
 * @param steps how many steps
 * @param sampling how their batches were drawn
 * @param sampleRate probability with which a record takes part in a step
 * @param noises what was added to what one step computed: the gradient's first, then queries of the
 *     same batch
 */
public record ReleaseSummary(long steps, Sampling sampling, double sampleRate, List<Noise> noises) {

  /** The way in which batches are drawn. */
  public enum Sampling {
    /** Every record takes part independently. */
    POISSON("independent Poisson sampling at every step"),
    /** Uniformly random subsets of one size. */
    FIXED("batches of fixed size, drawn without replacement and independently at every step"),
    /** All data. */
    NONE("every step uses all data");

    private final String words;

    Sampling(String words) {
      this.words = words;
    }

    /** {@return the way of drawing in words} */
    public String words() {
      return words;
    }
  }

  /**
   * One noisy answer of a step.
   *
   * @param mechanism the kind of noise, in words
   * @param noiseMultiplier the noise over the largest contribution of one record
   */
  public record Noise(String mechanism, double noiseMultiplier) {}

  /**
   * Copies the list.
   *
   * @param steps as described above
   * @param sampling as described above
   * @param sampleRate as described above
   * @param noises as described above
   */
  public ReleaseSummary {
    noises = List.copyOf(noises);
  }

  /**
   * Summarizes events; those that are alike are put together.
   *
   * @throws UnsupportedEventException if an event is a sample of samples or has none of the known
   *     mechanisms
   */
  static List<ReleaseSummary> of(Map<DpEvent, Long> events) {
    List<ReleaseSummary> summaries = new ArrayList<>();
    events.forEach((event, count) -> Summarizing.add(event, count, summaries));
    return summaries;
  }

  /** A phrase such as {@code 10 steps of Poisson sampling ...}. */
  String toProse() {
    StringBuilder text = new StringBuilder();
    text.append(steps).append(steps == 1 ? " step" : " steps").append(" (");
    text.append(sampling.words());
    if (sampling != Sampling.NONE) {
      text.append(", rate ").append(sampleRate);
    }
    text.append(") with ");
    for (int i = 0; i < noises.size(); i++) {
      text.append(i == 0 ? "" : " and ")
          .append(noises.get(i).mechanism())
          .append(" noise of ")
          .append(noises.get(i).noiseMultiplier());
    }
    return text.append(" times the largest contribution").toString();
  }

  String toJson() {
    StringBuilder text = new StringBuilder();
    text.append("{\"steps\": ").append(steps);
    text.append(", \"sampling\": \"").append(sampling.words()).append('"');
    text.append(", \"sampleRate\": ").append(sampleRate).append(", \"noises\": [");
    for (int i = 0; i < noises.size(); i++) {
      text.append(i == 0 ? "" : ", ")
          .append("{\"mechanism\": \"")
          .append(noises.get(i).mechanism())
          .append("\", \"noiseMultiplier\": ")
          .append(noises.get(i).noiseMultiplier())
          .append('}');
    }
    return text.append("]}").toString();
  }
}
