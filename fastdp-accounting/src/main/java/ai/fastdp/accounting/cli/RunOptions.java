/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.event.DiscreteGaussianEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.statement.PrivacyStatement;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of a run, which all commands share. */
final class RunOptions {

  /** A rate becomes a batch out of this many records, rounded up. */
  private static final long RATE_RESOLUTION = 1_000_000_000_000_000L;

  /** The way in which batches are drawn. */
  enum Sampling {
    POISSON,
    FIXED,
    NONE;

    /** The name that is typed. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** The mechanism that runs on a batch. */
  enum Noise {
    GAUSSIAN {
      @Override
      DpEvent release(double noiseMultiplier) {
        return new GaussianEvent(noiseMultiplier);
      }
    },
    DISCRETE_GAUSSIAN {
      @Override
      DpEvent release(double noiseMultiplier) {
        return new DiscreteGaussianEvent(noiseMultiplier);
      }
    },
    LAPLACE {
      @Override
      DpEvent release(double noiseMultiplier) {
        return new LaplaceEvent(noiseMultiplier);
      }
    };

    abstract DpEvent release(double noiseMultiplier);

    /** The name that is typed. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
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
      description = "Share of the records in a batch, in [0, 1]; 1 by default.")
  private @Nullable Double sampleRate;

  @Option(
      names = "--sampling",
      description =
          "poisson (default), fixed (batches of fixed size, drawn anew at every step) or none (every"
              + " step uses all data).")
  private Sampling sampling = Sampling.POISSON;

  @Option(
      names = "--mechanism",
      description =
          "gaussian (default), discrete-gaussian (rdp accountant, not with --sampling fixed) or"
              + " laplace (without sampling).")
  private Noise mechanism = Noise.GAUSSIAN;

  @Option(
      names = "--adjacency",
      description =
          "add-remove, replace-one or zero-out; add-remove by default, replace-one with --sampling"
              + " fixed.")
  private @Nullable Adjacency adjacency;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  boolean isJson() {
    return json;
  }

  private double sampleRate() {
    return sampleRate == null ? 1 : sampleRate;
  }

  boolean isSampled() {
    return sampling != Sampling.NONE && sampleRate() != 1;
  }

  NeighboringRelation relation() {
    if (adjacency == null) {
      return sampling == Sampling.FIXED
          ? NeighboringRelation.REPLACE_ONE
          : NeighboringRelation.ADD_OR_REMOVE_ONE;
    }
    return adjacency.relation;
  }

  /** Refuses a sample rate where the command finds it itself. */
  void requireNoRate() {
    if (sampleRate != null) {
      throw new IllegalArgumentException(
          "--sample-rate must be left out, got "
              + sampleRate
              + "; it follows from --dataset-size and --batch-sizes");
    }
  }

  /** The event of one step. */
  DpEvent step(double noiseMultiplier) {
    check(sampleRate());
    DpEvent release = mechanism.release(noiseMultiplier);
    if (sampling == Sampling.FIXED) {
      return new SampledWithoutReplacementEvent(
          (long) Math.ceil(sampleRate() * RATE_RESOLUTION), RATE_RESOLUTION, release);
    }
    return new PoissonSampledEvent(sampleRate(), release);
  }

  /** The event of one step with a batch of the given (Poisson: expected) size. */
  DpEvent step(long batchSize, long datasetSize, double noiseMultiplier) {
    double rate = (double) batchSize / datasetSize;
    check(rate);
    DpEvent release = mechanism.release(noiseMultiplier);
    return sampling == Sampling.FIXED
        ? new SampledWithoutReplacementEvent(batchSize, datasetSize, release)
        : new PoissonSampledEvent(rate, release);
  }

  private void check(double rate) {
    if (!(rate >= 0 && rate <= 1)) {
      throw new IllegalArgumentException(
          "--sample-rate must be in [0, 1], got " + rate + "; it is a probability");
    }
    if (sampling == Sampling.NONE && rate != 1) {
      throw new IllegalArgumentException(
          "--sample-rate must be 1 with --sampling none, got " + rate);
    }
    if (sampling == Sampling.FIXED && relation() != NeighboringRelation.REPLACE_ONE) {
      throw new IllegalArgumentException(
          "--adjacency must be replace-one with --sampling fixed, got " + adjacency);
    }
    if (mechanism == Noise.LAPLACE && (sampling == Sampling.FIXED || rate != 1)) {
      throw new IllegalArgumentException(
          "--mechanism must be gaussian with sampling, got " + mechanism + "; use --sampling none");
    }
  }

  /** The statement of a run. */
  PrivacyStatement statement(
      PrivacyAccountant empty,
      String unit,
      double noiseMultiplier,
      long steps,
      double delta,
      String planHash) {
    return PrivacyStatement.ofPlannedRun(
        empty, unit, step(noiseMultiplier), steps, delta, planHash);
  }

  /** The options as the first entries of a result. */
  Map<String, Object> describe() {
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("mechanism", mechanism.toString());
    result.put("sampling", sampling.toString());
    result.put("adjacency", relation().name());
    result.put("sampleRate", sampleRate());
    return result;
  }
}
