/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class NoiseCalibrationTest {

  static List<GoldenTable.Row> calibration() {
    return GoldenTable.read("calibration.tsv");
  }

  private static double rdpEpsilon(double q, double sigma, long steps, double delta) {
    return RdpAccountantTest.after(q, sigma, steps).optimum(delta).epsilon();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("calibration")
  void noiseMultiplier_rdp_meetsTheTargetWithoutWaste(GoldenTable.Row row) {
    double q = row.number("q");
    long steps = row.integer("steps");
    double delta = row.number("delta");
    double target = row.number("targetEpsilon");
    double sigma =
        NoiseCalibration.noiseMultiplier(
            RdpAccountant::new, new PrivacyBudget(target, delta), q, steps);
    double epsilon = rdpEpsilon(q, sigma, steps, delta);
    assertThat(epsilon).isLessThanOrEqualTo(target);
    assertThat(epsilon).isGreaterThan(target * (1 - 1e-7));
    assertThat(rdpEpsilon(q, sigma * (1 - 1e-6), steps, delta)).isGreaterThan(target);
    // At least the exact noise, and less than a tool with fixed orders needs.
    assertThat(sigma).isGreaterThan(row.number("exact"));
    assertThat(sigma).isLessThanOrEqualTo(row.number("dpAccountingRdp") * (1 + 1e-5));
  }

  @Test
  void noiseMultiplier_extremeTargets_areMet() {
    double[][] cases = {
      {1e-3, 1e-12, 0.9, 1e6}, {1e5, 1e-5, 1, 1}, {1e-3, 1e-5, 1e-7, 1}, {200, 1e-100, 0.5, 1e9}
    };
    for (double[] c : cases) {
      double sigma =
          NoiseCalibration.noiseMultiplier(
              RdpAccountant::new, new PrivacyBudget(c[0], c[1]), c[2], (long) c[3]);
      double epsilon = rdpEpsilon(c[2], sigma, (long) c[3], c[1]);
      assertThat(epsilon).isLessThanOrEqualTo(c[0]).isGreaterThan(c[0] * (1 - 1e-4));
    }
  }

  @Test
  void noiseMultiplier_nothingToProtect_isTheSmallestTried() {
    PrivacyBudget budget = new PrivacyBudget(1, 1e-5);
    assertThat(NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, 0, 100))
        .isEqualTo(0x1p-9);
    assertThat(NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, 0.5, 0))
        .isEqualTo(0x1p-9);
  }

  @Test
  void noiseMultiplier_unreachable_saysWhatIsReachable() {
    assertThatThrownBy(
            () ->
                NoiseCalibration.noiseMultiplier(
                    RdpAccountant::new, new PrivacyBudget(1e-9, 1e-12), 1, 1_000_000_000_000L))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageMatching(
            "epsilon must be reachable, got 1.0E-9; .*reaches [0-9.E-]+ at delta.*");
  }

  @Test
  void noiseMultiplier_invalidArguments_throw() {
    PrivacyBudget budget = new PrivacyBudget(1, 1e-5);
    assertThatThrownBy(
            () -> NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, Double.NaN, 1))
        .hasMessageContaining("sampleRate must be in [0, 1], got NaN");
    assertThatThrownBy(() -> NoiseCalibration.noiseMultiplier(RdpAccountant::new, budget, 0.1, -1))
        .hasMessageContaining("steps must be >= 0, got -1");
  }
}
