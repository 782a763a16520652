/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.calibration.NoiseCalibration;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** One question to an accountant, building it included; q = 0.01, sigma = 0.8, delta = 1e-6. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@State(Scope.Benchmark)
@Fork(3)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class AccountingBenchmark {

  private static final double DELTA = 1e-6;

  /** Number of steps. */
  @Param({"1000", "10000", "100000", "1000000", "100000000"})
  public long steps;

  /** Checks that the interval is as narrow as promised before anything is timed. */
  @Setup
  public void check() {
    EpsilonBound bound = fdpEpsilon();
    double lower = bound.lower().orElseThrow();
    double upper = bound.upper().orElseThrow();
    if (!(upper - lower <= 1e-6 * lower)) {
      throw new IllegalStateException("interval must be narrow, got " + bound);
    }
  }

  /**
   * Epsilon by f-DP.
   *
   * @return the bounds
   */
  @Benchmark
  public EpsilonBound fdpEpsilon() {
    FdpAccountant accountant = new FdpAccountant();
    accountant.compose(new PoissonSampledEvent(0.01, new GaussianEvent(0.8)), steps);
    return accountant.epsilon(DELTA);
  }

  /**
   * Epsilon by RDP.
   *
   * @return the bound
   */
  @Benchmark
  public EpsilonBound rdpEpsilon() {
    RdpAccountant accountant = new RdpAccountant();
    accountant.compose(new PoissonSampledEvent(0.01, new GaussianEvent(0.8)), steps);
    return accountant.epsilon(DELTA);
  }

  /**
   * Sigma for epsilon 2 by f-DP.
   *
   * @return sigma
   */
  @Benchmark
  public double fdpCalibration() {
    return NoiseCalibration.noiseMultiplier(
        FdpAccountant::new, new PrivacyBudget(2, DELTA), 0.01, steps);
  }

  /**
   * Sigma for epsilon 2 by RDP.
   *
   * @return sigma
   */
  @Benchmark
  public double rdpCalibration() {
    return NoiseCalibration.noiseMultiplier(
        RdpAccountant::new, new PrivacyBudget(2, DELTA), 0.01, steps);
  }
}
