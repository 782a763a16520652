/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;

import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.internal.mechanism.Mechanism;
import ai.fastdp.accounting.internal.mechanism.MechanismCounts;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Random compositions over the whole range of parameters: bounds of independent origin must not
 * contradict each other.
 *
 * <p>{@code -Dfastdp.soundness.seconds=600 -Dfastdp.soundness.seed=1} runs longer and prints what
 * was slow.
 */
@Tag("slow")
class SoundnessFuzzTest {

  private static final long SECONDS = Long.getLong("fastdp.soundness.seconds", 8);
  private static final long SEED = Long.getLong("fastdp.soundness.seed", 20261122L);
  private static final boolean VERBOSE = System.getProperty("fastdp.soundness.seconds") != null;

  /** Of numbers that are compared; the intervals themselves are as narrow as 1e-12. */
  private static final double ROUNDING = 1e-9;

  /** A random run under one relation. */
  private record Run(NeighboringRelation relation, List<DpEvent> events, List<Long> counts) {

    static Run random(SplittableRandom random) {
      NeighboringRelation relation =
          random.nextInt(3) == 0
              ? NeighboringRelation.REPLACE_ONE
              : NeighboringRelation.ADD_OR_REMOVE_ONE;
      List<DpEvent> events = new ArrayList<>();
      List<Long> counts = new ArrayList<>();
      int phases = random.nextInt(3) > 0 ? 1 : 2 + random.nextInt(2);
      for (int i = 0; i < phases; i++) {
        events.add(event(random, relation));
        counts.add((long) logUniform(random, 1, random.nextInt(3) == 0 ? 30 : 1e9));
      }
      return new Run(relation, events, counts);
    }

    private static DpEvent event(SplittableRandom random, NeighboringRelation relation) {
      double sigma = logUniform(random, 0.01, random.nextBoolean() ? 10 : 1000);
      int kind = random.nextInt(8);
      if (kind == 0) {
        return new LaplaceEvent(sigma);
      }
      GaussianEvent gaussian = new GaussianEvent(sigma);
      if (kind == 1) {
        return gaussian;
      }
      double q =
          random.nextInt(6) == 0
              ? 1 - logUniform(random, 1e-6, 1)
              : logUniform(random, random.nextBoolean() ? 1e-3 : 1e-7, 0.99);
      if (relation == NeighboringRelation.REPLACE_ONE && kind < 5) {
        long size = 10_000_000;
        return new SampledWithoutReplacementEvent(Math.max(1, (long) (q * size)), size, gaussian);
      }
      return new PoissonSampledEvent(q, gaussian);
    }

    <A extends PrivacyAccountant> A composedBy(A accountant) {
      for (int i = 0; i < events.size(); i++) {
        accountant.compose(events.get(i), counts.get(i));
      }
      return accountant;
    }

    FdpAccountant fdp() {
      return composedBy(new FdpAccountant(relation));
    }

    /** More steps of the first phase. */
    Run longer(long more) {
      List<Long> changed = new ArrayList<>(counts);
      changed.set(0, counts.get(0) + more);
      return new Run(relation, events, changed);
    }

    double countingBound(double delta) {
      double best = 0;
      for (Map.Entry<Mechanism, Long> entry : mechanisms().asMap().entrySet()) {
        best =
            Math.max(
                best, CountingBound.epsilon(entry.getKey(), relation, entry.getValue(), delta));
      }
      return best;
    }

    private MechanismCounts mechanisms() {
      MechanismCounts all = new MechanismCounts();
      for (int i = 0; i < events.size(); i++) {
        all.addAll(MechanismCounts.of(events.get(i), counts.get(i)));
      }
      return all;
    }

    /** One step of the dearest phase, in closed form. */
    double singleStep(double delta) {
      double best = 0;
      for (DpEvent event : events) {
        FdpAccountant one = new FdpAccountant(relation);
        one.compose(event);
        best = Math.max(best, one.epsilon(delta).lower().getAsDouble());
      }
      return best;
    }
  }

  private static double logUniform(SplittableRandom random, double low, double high) {
    return Math.exp(random.nextDouble(Math.log(low), Math.log(high)));
  }

  private final List<String> contradictions = new ArrayList<>();
  private String row = "";

  private void notAbove(String small, double a, String large, double b) {
    if (!(a <= b * (1 + ROUNDING) + 1e-14)) {
      contradictions.add(row + ": " + small + " " + a + " > " + large + " " + b);
      if (VERBOSE) {
        System.out.println("UNSOUND " + contradictions.get(contradictions.size() - 1));
      }
    }
  }

  @Test
  void bounds_ofRandomRuns_doNotContradictEachOther() {
    SplittableRandom random = new SplittableRandom(SEED);
    long end = System.nanoTime() + SECONDS * 1_000_000_000L;
    int rows = 0;
    int wide = 0;
    while (System.nanoTime() < end) {
      Run run = Run.random(random);
      double delta = logUniform(random, random.nextBoolean() ? 1e-100 : 1e-12, 0.1);
      row = "row " + rows + " " + run + " delta " + delta;
      double width;
      try {
        width = check(run, delta, random.split());
      } catch (RuntimeException e) {
        contradictions.add(row + ": " + e);
        if (VERBOSE) {
          System.out.println("FAILED " + row + " " + e);
        }
        width = 0;
      }
      rows++;
      wide += width > 1e-3 ? 1 : 0;
    }
    if (VERBOSE) {
      System.out.println(
          "checked " + rows + " runs from seed " + SEED + ", " + wide + " wider than 1e-3");
    }
    assertThat(contradictions).isEmpty();
    assertThat(rows).isPositive();
  }

  /** Returns the relative width of the interval of epsilon. */
  private double check(Run run, double delta, SplittableRandom random) {
    FdpAccountant fdp = run.fdp();
    long started = System.nanoTime();
    FdpAccountant.Answer answer = fdp.answer(delta);
    report("epsilon", started, answer);
    EpsilonBound bound = answer.epsilon();
    double lower = bound.lower().getAsDouble();
    double estimate = bound.estimate().getAsDouble();
    double upper = bound.upper().getAsDouble();
    notAbove("lower", lower, "estimate", estimate);
    notAbove("estimate", estimate, "upper", upper);

    double renyi = run.composedBy(new RdpAccountant(run.relation())).optimum(delta).epsilon();
    notAbove("lower", lower, "rdp", renyi);
    notAbove("upper", upper, "rdp", renyi * (1 + 1e-6) + 1e-12);

    double counting = run.countingBound(delta);
    notAbove("counting", counting, "upper", upper);
    notAbove("single step", run.singleStep(delta), "upper", upper);

    started = System.nanoTime();
    double quick = fdp.quickUpper(delta).getAsDouble();
    report("quick", started, answer);
    notAbove("lower", lower, "quick upper", quick);
    notAbove("counting", counting, "quick upper", quick);

    switch (random.nextInt(4)) {
      case 0 -> {
        long more = (long) logUniform(random, 1, 10.0 * run.counts().get(0));
        EpsilonBound longer = run.longer(more).fdp().epsilon(delta);
        notAbove("lower", lower, "upper of " + more + " more", longer.upper().getAsDouble());
      }
      case 1 -> {
        double larger = delta + (1 - delta) * random.nextDouble(0.1);
        EpsilonBound smaller = fdp.epsilon(larger);
        notAbove("lower at " + larger, smaller.lower().getAsDouble(), "upper", upper);
      }
      case 2 -> {
        if (lower > 0) {
          started = System.nanoTime();
          DeltaBound back = fdp.delta(lower);
          report("delta", started, answer);
          notAbove(
              "delta", delta, "upper delta at lower epsilon " + lower, back.upper().getAsDouble());
          notAbove("lower delta", back.lower().getAsDouble(), "rdp delta", renyiDelta(run, lower));
        }
      }
      default -> {
        if (upper > 0 && upper < Double.POSITIVE_INFINITY) {
          started = System.nanoTime();
          DeltaBound back = fdp.delta(upper);
          report("delta", started, answer);
          notAbove(
              "lower delta at upper epsilon " + upper, back.lower().getAsDouble(), "delta", delta);
        }
      }
    }
    return upper > 1e-3 ? (upper - lower) / upper : 0;
  }

  private static double renyiDelta(Run run, double epsilon) {
    return run.composedBy(new RdpAccountant(run.relation())).delta(epsilon).upper().getAsDouble();
  }

  private void report(String what, long started, FdpAccountant.Answer answer) {
    double seconds = (System.nanoTime() - started) / 1e9;
    if (VERBOSE && seconds > 1) {
      System.out.printf("SLOW %s %.1f s, %s, %s%n", what, seconds, row, answer);
    }
  }
}
