/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Integrals that are cut off early, where what is left out is larger than all other errors: the
 * bounds must have it in them. The accountants' own integrals reach so far that nothing is seen.
 */
final class ContourIntegralTest {

  @ParameterizedTest(name = "q {0}, sigma {1}, {2} steps, epsilon {3}, tolerance {4}")
  @CsvSource({
    "0.01, 0.8, 1000, 2, 0.5",
    "0.01, 0.8, 1000, 2, 0.05",
    "0.01, 0.8, 1000, 4, 0.5",
    "0.01, 0.8, 1000, 4, 0.01",
    "0.1, 1.5, 100, 1, 0.5",
    "0.1, 1.5, 100, 1, 0.05",
    "0.5, 3, 20, 2, 0.5",
    "0.5, 3, 20, 2, 0.05",
    "0.02, 1, 10000, 8, 0.5",
    "0.02, 1, 10000, 8, 0.05"
  })
  void delta_cutOffEarly_boundsHoldTheFullIntegral(
      double q, double sigma, long steps, double epsilon, double tolerance) {
    for (MixtureLoss.Direction direction : MixtureLoss.Direction.values()) {
      LossComposition losses =
          new LossComposition(
              List.of(new LossComposition.Part(new MixtureLoss(q, sigma, direction), steps)));
      Saddle saddle = Saddle.forEpsilon(losses, epsilon);
      double full = bracket(losses, saddle, epsilon, 1e-12).estimate();
      DeltaBracket early = bracket(losses, saddle, epsilon, tolerance);
      assertThat(early.upper()).isGreaterThanOrEqualTo(full * (1 - 1e-10));
      assertThat(early.lower()).isLessThanOrEqualTo(full * (1 + 1e-10));
      // Something was left out, and the case tests what it is for.
      assertThat(Math.abs(early.estimate() - full)).isGreaterThan(1e-9 * full);
    }
  }

  private static DeltaBracket bracket(
      LossComposition losses, Saddle saddle, double epsilon, double tolerance) {
    return new ContourIntegral.Plan(losses, saddle.c(), epsilon, saddle.logDelta(), tolerance)
        .run()
        .delta(losses, epsilon);
  }
}
