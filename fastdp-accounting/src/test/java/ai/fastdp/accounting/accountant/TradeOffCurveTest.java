/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.GoldenTable;
import ai.fastdp.accounting.internal.numeric.NormalTail;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TradeOffCurveTest {

  static List<GoldenTable.Row> tradeoff() {
    return GoldenTable.read("tradeoff.tsv");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("tradeoff")
  void at_golden_isBelowBothDirections(GoldenTable.Row row) {
    TypeTwoBound bound =
        DpSgd.fdp(row.number("q"), row.number("sigma"), row.integer("steps"))
            .tradeOff()
            .at(row.number("type1"));
    double directions = Math.min(row.number("exactRemove"), row.number("exactAdd"));
    assertThat(bound.lower()).isLessThanOrEqualTo(directions + 1e-12);
    assertThat(bound.upper() - bound.lower()).isLessThanOrEqualTo(1e-6);
    if (row.number("q") == 1) {
      assertThat(bound.lower()).isGreaterThanOrEqualTo(directions - 1e-7);
      assertThat(bound.upper()).isGreaterThanOrEqualTo(directions - 1e-12);
    } else {
      // The convex hull of both directions lies below the smaller one, but not by much.
      assertThat(bound.estimate()).isGreaterThan(directions - 0.03);
    }
  }

  @Test
  void at_gaussian_isTheGaussianCurve() {
    TradeOffCurve curve = DpSgd.fdp(1, 2, 4).tradeOff();
    for (double z = -3; z <= 3; z += 0.5) {
      TypeTwoBound bound = curve.at(NormalTail.above(z));
      double exact = NormalTail.above(1 - z);
      assertThat(bound.lower()).isBetween(exact - 1e-7, exact + 1e-12);
      assertThat(bound.upper()).isBetween(exact - 1e-12, exact + 1e-7);
    }
    double mu = curve.gaussianParameter(1e-3, 201);
    assertThat(mu).isBetween(1.0, 1.05);
  }

  @Test
  void at_nothingComposed_isTheDiagonal() {
    TypeTwoBound bound = new FdpAccountant().tradeOff().at(0.25);
    assertThat(bound.lower()).isBetween(0.75 - 1e-6, 0.75);
    assertThat(bound.upper()).isGreaterThanOrEqualTo(0.75);
  }

  @Test
  void invalidArguments_throw() {
    TradeOffCurve curve = DpSgd.fdp(1, 2, 4).tradeOff();
    assertThatThrownBy(() -> curve.at(Double.NaN)).hasMessageContaining("typeOne");
    assertThatThrownBy(() -> curve.gaussianParameter(0.5, 10)).hasMessageContaining("smallest");
    assertThatThrownBy(() -> curve.gaussianParameter(0.1, 1)).hasMessageContaining("points");
  }
}
