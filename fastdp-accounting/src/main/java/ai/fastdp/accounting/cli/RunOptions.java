/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.DpEvent;
import ai.fastdp.accounting.GaussianEvent;
import ai.fastdp.accounting.NeighboringRelation;
import ai.fastdp.accounting.PoissonSampledEvent;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Option;

/** What all commands know about a run. */
final class RunOptions {

  /** How batches are drawn. */
  enum Sampling {
    POISSON,
    NONE
  }

  /** The relation by its name on the command line. */
  enum Adjacency {
    ADD_REMOVE(NeighboringRelation.ADD_OR_REMOVE_ONE),
    REPLACE_ONE(NeighboringRelation.REPLACE_ONE),
    ZERO_OUT(NeighboringRelation.REPLACE_SPECIAL);

    private final NeighboringRelation relation;

    Adjacency(NeighboringRelation relation) {
      this.relation = relation;
    }

    /** The name that is typed. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  @Option(
      names = "--sample-rate",
      paramLabel = "Q",
      description = "Poisson sample rate in [0, 1]; 1 by default.")
  private double sampleRate = 1;

  @Option(
      names = "--sampling",
      description =
          "poisson, or none (every step uses all data); fixed-size batches are unsupported.")
  private Sampling sampling = Sampling.POISSON;

  @Option(names = "--adjacency", description = "add-remove (default), replace-one or zero-out.")
  private Adjacency adjacency = Adjacency.ADD_REMOVE;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  boolean isJson() {
    return json;
  }

  Sampling sampling() {
    return sampling;
  }

  double sampleRate() {
    if (sampling == Sampling.NONE && sampleRate != 1) {
      throw new IllegalArgumentException(
          "sampleRate must be 1 with --sampling none, got " + sampleRate);
    }
    return sampleRate;
  }

  NeighboringRelation relation() {
    return adjacency.relation;
  }

  DpEvent step(double noiseMultiplier) {
    return new PoissonSampledEvent(sampleRate(), new GaussianEvent(noiseMultiplier));
  }

  /** The options as the first entries of a result. */
  Map<String, Object> describe() {
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("sampling", sampling.name().toLowerCase(Locale.ROOT));
    result.put("adjacency", relation().name());
    result.put("sampleRate", sampleRate());
    return result;
  }
}
