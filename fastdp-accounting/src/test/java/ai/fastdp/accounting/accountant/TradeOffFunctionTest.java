/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.GoldenTable;
import ai.fastdp.accounting.internal.numeric.NormalTail;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

class TradeOffFunctionTest {

  private static final double[] TYPE_ONE = {0, 1e-6, 1e-3, 0.05, 0.2, 0.31, 0.5, 0.8, 0.99, 1};

  /** G_mu. */
  private static double gaussian(double mu, double a) {
    if (a == 0 || a == 1) {
      return 1 - a;
    }
    return NormalTail.above(mu - NormalTail.quantileAbove(a));
  }

  private static void assertIs(TradeOffCurve curve, DoubleUnaryOperator exact) {
    for (double a : TYPE_ONE) {
      TypeTwoBound bound = curve.at(a);
      double value = exact.applyAsDouble(a);
      assertThat(bound.lower()).as("lower at %s", a).isBetween(value - 1e-6, value + 1e-12);
      assertThat(bound.upper()).as("upper at %s", a).isBetween(value - 1e-12, value + 1e-6);
    }
  }

  @Test
  void tensor_gaussians_isTheGaussianOfTheRootOfSquares() {
    TradeOffFunction product =
        TradeOffFunction.gaussian(0.3).tensor(TradeOffFunction.gaussian(0.4));
    assertIs(product.curve(), a -> gaussian(0.5, a));
    assertIs(product.symmetrize(), a -> gaussian(0.5, a));
    assertIs(TradeOffFunction.gaussian(0.5).tensorPower(9).curve(), a -> gaussian(1.5, a));
  }

  @Test
  void tensor_identity_changesNothing() {
    TradeOffFunction f = TradeOffFunction.gaussian(0.7).subsample(0.2);
    for (double epsilon : new double[] {0, 0.1, 1}) {
      assertThat(f.tensor(TradeOffFunction.identity()).delta(epsilon)).isEqualTo(f.delta(epsilon));
    }
    assertIs(TradeOffFunction.identity().curve(), a -> 1 - a);
    assertIs(f.tensorPower(0).curve(), a -> 1 - a);
  }

  @Test
  void subsample_gaussian_isTheMixtureWithTheIdentity() {
    TradeOffFunction f = TradeOffFunction.gaussian(1.25).subsample(0.3);
    assertIs(f.curve(), a -> 0.3 * gaussian(1.25, a) + 0.7 * (1 - a));
  }

  /** No pair can be composed here, so the other formulas answer, in both directions. */
  @Test
  void subsample_ofAProduct_isTheMixtureWithTheIdentity() {
    TradeOffFunction f = TradeOffFunction.gaussian(0.6).tensor(TradeOffFunction.laplace(0.5));
    TradeOffCurve whole = f.curve();
    TradeOffFunction sampled = f.subsample(0.4);
    TradeOffCurve curve = sampled.curve();
    TradeOffCurve inverse = sampled.inverse().curve();
    for (double a : TYPE_ONE) {
      double exact = 0.4 * whole.at(a).estimate() + 0.6 * (1 - a);
      assertThat(curve.at(a).lower()).isBetween(exact - 2e-6, exact + 1e-6);
      assertThat(curve.at(a).upper()).isBetween(exact - 1e-6, exact + 2e-6);
      TypeTwoBound back = inverse.at(exact);
      assertThat(back.lower()).isBetween(a - 5e-6, a + 5e-6);
    }
    assertThatThrownBy(() -> sampled.tensor(f))
        .hasMessageContaining("factor must be a product of samples");
  }

  @Test
  void subsampleTwice_multipliesTheRates() {
    TradeOffFunction f = TradeOffFunction.gaussian(1).tensor(TradeOffFunction.laplace(1));
    TradeOffFunction once = f.subsample(0.125);
    TradeOffFunction twice = f.subsample(0.5).subsample(0.25);
    TradeOffFunction gaussian = TradeOffFunction.gaussian(1);
    for (double epsilon : new double[] {0, 0.01, 0.1, 0.3}) {
      for (int side = 0; side < 2; side++) {
        double a = (side == 0 ? once : once.inverse()).delta(epsilon).estimate().getAsDouble();
        double b = (side == 0 ? twice : twice.inverse()).delta(epsilon).estimate().getAsDouble();
        assertThat(b).isCloseTo(a, org.assertj.core.data.Offset.offset(1e-7));
      }
      assertThat(gaussian.subsample(0.5).subsample(0.25).delta(epsilon))
          .isEqualTo(gaussian.subsample(0.125).delta(epsilon));
    }
  }

  /** Dong, Roth, Su 2022, equation 13: f_p, then its inverse, and a line of slope -1 between. */
  @Test
  void symmetrize_sampledGaussian_isTheOperatorC() {
    double p = 0.3;
    double mu = 1.25;
    DoubleUnaryOperator mixed = a -> p * gaussian(mu, a) + (1 - p) * (1 - a);
    double fixed = NormalTail.above(mu / 2); // G_mu(x) = x
    double corner = mixed.applyAsDouble(fixed);
    DoubleUnaryOperator exact =
        a -> {
          if (a <= fixed) {
            return mixed.applyAsDouble(a);
          }
          if (a <= corner) {
            return fixed + corner - a;
          }
          double low = 0;
          double high = 1;
          for (int i = 0; i < 100; i++) {
            double middle = (low + high) / 2;
            if (mixed.applyAsDouble(middle) > a) {
              low = middle;
            } else {
              high = middle;
            }
          }
          return low;
        };
    assertIs(TradeOffFunction.gaussian(mu).subsample(p).symmetrize(), exact);
  }

  @Test
  void composedThenSymmetrized_isTheAccountantsCurve() {
    TradeOffFunction run = TradeOffFunction.gaussian(1 / 0.8).subsample(0.01).tensorPower(1000);
    TradeOffCurve curve = run.symmetrize();
    TradeOffCurve accountant = DpSgd.fdp(0.01, 0.8, 1000).tradeOff();
    for (double a : TYPE_ONE) {
      assertThat(curve.at(a)).isEqualTo(accountant.at(a));
      // Symmetrising loses, but never more than the convex hull of both directions.
      assertThat(curve.at(a).lower()).isLessThanOrEqualTo(run.curve().at(a).upper());
      assertThat(curve.at(a).lower()).isLessThanOrEqualTo(run.inverse().curve().at(a).upper());
    }
  }

  /** accounting_golden.json, tradeoff: both directions for themselves. */
  @Test
  void curve_ofARun_isTheOneOfItsDirection() {
    for (GoldenTable.Row row : TradeOffCurveTest.tradeoff()) {
      if (row.number("q") == 1) {
        continue;
      }
      TradeOffFunction run =
          TradeOffFunction.gaussian(1 / row.number("sigma"))
              .subsample(row.number("q"))
              .tensorPower(row.integer("steps"));
      TypeTwoBound remove = run.curve().at(row.number("type1"));
      TypeTwoBound add = run.inverse().curve().at(row.number("type1"));
      assertThat(remove.lower())
          .isBetween(row.number("exactRemove") - 1e-6, row.number("exactRemove") + 1e-9);
      assertThat(add.lower())
          .isBetween(row.number("exactAdd") - 1e-6, row.number("exactAdd") + 1e-9);
    }
  }

  @Test
  void invalidArguments_throw() {
    assertThatThrownBy(() -> TradeOffFunction.gaussian(Double.NaN)).hasMessageContaining("mu must");
    assertThatThrownBy(() -> TradeOffFunction.laplace(0)).hasMessageContaining("t must");
    TradeOffFunction f = TradeOffFunction.gaussian(1);
    assertThatThrownBy(() -> f.subsample(1.5)).hasMessageContaining("p must be in [0, 1], got 1.5");
    assertThatThrownBy(() -> f.tensorPower(-1)).hasMessageContaining("count must be >= 0, got -1");
    assertThatThrownBy(() -> f.delta(-1)).hasMessageContaining("epsilon must");
  }
}
