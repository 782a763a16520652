/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.solve;

import static org.assertj.core.api.Assertions.assertThat;

import ai.fastdp.accounting.internal.loss.DeltaBracket;
import ai.fastdp.accounting.internal.loss.DominatingPair;
import ai.fastdp.accounting.internal.loss.GaussianPair;
import ai.fastdp.accounting.internal.loss.PoissonGaussianPair;
import ai.fastdp.accounting.internal.loss.ReplaceOnePoissonPair;
import ai.fastdp.accounting.internal.loss.TiltedLoss;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Integrals that are cut off early, where what is left out is larger than all other errors: the
 * bounds must have it in them. The accountants' own integrals reach so far that nothing is seen.
 * And characteristic functions that are small.
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
    for (PoissonGaussianPair.Direction direction : PoissonGaussianPair.Direction.values()) {
      LossComposition losses =
          new LossComposition(
              List.of(
                  new LossComposition.Part(new PoissonGaussianPair(q, sigma, direction), steps)));
      SaddlePoint saddle = SaddlePoint.forEpsilon(losses, epsilon);
      double full = bracket(losses, saddle, epsilon, 1e-12).estimate();
      DeltaBracket early = bracket(losses, saddle, epsilon, tolerance);
      assertThat(early.upper()).isGreaterThanOrEqualTo(full * (1 - 1e-10));
      assertThat(early.lower()).isLessThanOrEqualTo(full * (1 + 1e-10));
      // Something was left out, and the case tests what it is for.
      assertThat(Math.abs(early.estimate() - full)).isGreaterThan(1e-9 * full);
    }
  }

  /** The bound of the modulus decides how far an integral reaches. */
  @ParameterizedTest(name = "q {0}, sigma {1}, c {2}")
  @CsvSource({
    "0.01, 0.2, 1.7e-4",
    "1e-7, 0.2, 0.02",
    "1e-7, 0.5, 3",
    "1e-3, 0.4, 0.5",
    "0.01, 1, 5",
    "0.2, 0.7, 2",
    "0.5, 3, 20",
    "0.9, 0.3, 0.1",
    "1e-5, 20, 1000"
  })
  void logModulusBound_anyFrequency_isNotExceeded(double q, double sigma, double c) {
    for (PoissonGaussianPair.Direction direction : PoissonGaussianPair.Direction.values()) {
      TiltedLoss tilted = new PoissonGaussianPair(q, sigma, direction).tilt(c);
      double scale = 1 / Math.sqrt(tilted.cumulant().variance());
      for (double from = 0.01 * scale; from < 100 * scale; from *= 1.12) {
        if (tilted.costAt(3 * from) > 20_000) {
          break;
        }
        double[] re = new double[301];
        double[] phase = new double[301];
        double step = from / 100;
        tilted.addLogPhi(step, 0, 301, 1, re, phase);
        double near = tilted.logModulusBound(from, 1.12 * from);
        double far = tilted.logModulusBound(from, Double.POSITIVE_INFINITY);
        for (int k = 100; k < re.length; k++) {
          assertThat(re[k]).isLessThanOrEqualTo(far + 1e-12);
          if (k <= 112) {
            assertThat(re[k]).isLessThanOrEqualTo(near + 1e-12);
          }
        }
      }
    }
  }

  /**
   * One step whose characteristic function is nothing but the unsampled part, of the order of 1e-9,
   * over most of the line, and one of Gaussian noise. mpmath: trapezoid rule with 34 digits over
   * the first step's output, of the second step's closed form.
   */
  @ParameterizedTest
  @CsvSource({
    "false, 9.974083390935765e-06, 0.06975435918068905, 1.9664360914244003, 145.25890439711702, 6.7079578412283568491e-10",
    "false, 0.3614999534445731, 0.061942359783333914, 0.7108303825172801, 200.59132284863762, 2.0213682165000985737e-6",
    "true, 0.0011875476111008509, 0.07586082908416619, 3.8054543821582927, 147.43533393876612, 1.5152211081883640543e-10"
  })
  void delta_smallCharacteristicFunction_keepsItsDigits(
      boolean replaced, double q, double sigma, double gaussian, double epsilon, double delta) {
    DominatingPair sampled =
        replaced
            ? new ReplaceOnePoissonPair(q, sigma)
            : new PoissonGaussianPair(q, sigma, PoissonGaussianPair.Direction.REMOVE);
    DominatingPair unsampled = new GaussianPair((replaced ? 2 : 1) / gaussian);
    LossComposition losses =
        new LossComposition(
            List.of(new LossComposition.Part(sampled, 1), new LossComposition.Part(unsampled, 1)));
    DeltaBracket found =
        new ContourMethod().delta(losses, epsilon, Effort.LAST_RESORT).orElseThrow();
    assertThat(found.lower()).isLessThanOrEqualTo(delta);
    assertThat(found.upper()).isGreaterThanOrEqualTo(delta);
    assertThat(found.upper() - found.lower()).isLessThanOrEqualTo(1e-9 * delta);
  }

  private static DeltaBracket bracket(
      LossComposition losses, SaddlePoint saddle, double epsilon, double tolerance) {
    return new ContourPlan(losses, saddle.c(), epsilon, saddle.logDelta(), tolerance)
        .run()
        .delta(losses, epsilon);
  }
}
