/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;

/** The run that most tests account for: Gaussian noise on Poisson samples. */
public final class DpSgd {

  private DpSgd() {}

  /** One step. */
  public static DpEvent step(double q, double sigma) {
    return new PoissonSampledEvent(q, new GaussianEvent(sigma));
  }

  /** An RDP accountant after a run. */
  public static RdpAccountant rdp(double q, double sigma, long steps) {
    return after(new RdpAccountant(), q, sigma, steps);
  }

  /** An f-DP accountant after a run. */
  public static FdpAccountant fdp(double q, double sigma, long steps) {
    return after(new FdpAccountant(), q, sigma, steps);
  }

  /** The given accountant after a run. */
  public static <A extends PrivacyAccountant> A after(
      A accountant, double q, double sigma, long steps) {
    accountant.compose(step(q, sigma), steps);
    return accountant;
  }

  /** The bound that must be monotone: the upper bound, or the estimate where there is none. */
  public static double value(PrivacyAccountant accountant, double delta) {
    EpsilonBound bound = accountant.epsilon(delta);
    return bound.upper().isPresent() ? bound.upper().getAsDouble() : bound.estimate().getAsDouble();
  }
}
