/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.internal.loss;

import static org.assertj.core.api.Assertions.assertThat;

import ai.fastdp.accounting.internal.numeric.LogSum;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Laws that end where their tilted density is still rising. */
final class TiltedGridTest {
  private static final int PANELS = 400_000;

  @ParameterizedTest(name = "q {0}, sigma {1}, lost mass {2}, c {3}")
  @CsvSource({
    "0.007394456105847149, 5.23419289104755, 1e-57, 900",
    "0.007394456105847149, 5.23419289104755, 1e-57, 945",
    "0.007394456105847149, 5.23419289104755, 1e-57, 992",
    "0.007394456105847149, 5.23419289104755, 1e-57, 1049",
    "0.007394456105847149, 5.23419289104755, 1e-57, 3000",
    "5.02187e-7, 2.28653, 1e-93, 47000",
    "5.02187e-7, 2.28653, 1e-93, 60000",
    "1e-7, 1, 1e-120, 36",
    "0.01, 0.5, 1e-20, 20",
    "0.3, 3, 1e-10, 200"
  })
  void cumulantBound_restrictedLaw_isABoundAndNear(
      double q, double sigma, double lostMass, double c) {
    for (DominatingPair whole :
        List.of(
            new PoissonGaussianPair(q, sigma, PoissonGaussianPair.Direction.REMOVE),
            new ReplaceOnePoissonPair(q, sigma))) {
      QuadraturePair pair = (QuadraturePair) whole.restricted(lostMass);
      double exact = bySimpsonsRule(pair.branches().get(0), c);
      assertThat(pair.cumulantBound(c)).isGreaterThanOrEqualTo(exact - 1e-9);
      // A factor of 4 times the growth over a spacing, which c divides for epsilon.
      assertThat(pair.cumulantBound(c)).isLessThanOrEqualTo(exact + 8);
    }
  }

  /** log of the integral of e^{cL} under P. */
  private static double bySimpsonsRule(QuadraturePair.Branch branch, double c) {
    double left = branch.leftEnd(c);
    double h = (branch.rightEnd(c) - left) / PANELS;
    LogSum sum = new LogSum();
    QuadraturePair.Node node = new QuadraturePair.Node();
    for (int i = 0; i <= PANELS; i++) {
      branch.at(left + i * h, node);
      double weight = i == 0 || i == PANELS ? 1 : i % 2 == 1 ? 4 : 2;
      sum.add(node.logP + c * node.loss + Math.log(weight * h / 3));
    }
    return sum.log();
  }
}
