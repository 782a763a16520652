/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class WorkloadTest {

  @Test
  void prefixSum_isOnes() {
    assertThat(Workload.prefixSum(4).row(2)).containsExactly(1, 1, 1);
  }

  /** Runs the optimizer on a gradient that is 1 in one step and 0 in all others. */
  @Test
  void momentum_everyColumn_equalsTheOptimizer() {
    double momentum = 0.9;
    double decay = 0.98;
    Workload workload = Workload.momentum(20, momentum, decay);
    for (int s = 0; s < 20; s++) {
      double velocity = 0;
      double weight = 0;
      for (int t = 0; t < 20; t++) {
        velocity = momentum * velocity + (t == s ? 1 : 0);
        weight = decay * weight - velocity;
        double entry = t < s ? 0 : workload.row(t)[s];
        assertThat(entry).isCloseTo(-weight, within(1e-13));
      }
    }
  }

  @Test
  void scheduled_everyColumn_equalsTheOptimizer() {
    double momentum = 0.8;
    double[] rates = new double[20];
    for (int t = 0; t < 20; t++) {
      rates[t] = 1 / (1 + 0.1 * t);
    }
    Workload workload = Workload.scheduled(rates, momentum);
    for (int s = 0; s < 20; s++) {
      double velocity = 0;
      double weight = 0;
      for (int t = 0; t < 20; t++) {
        velocity = momentum * velocity + (t == s ? 1 : 0);
        weight -= rates[t] * velocity;
        double entry = t < s ? 0 : workload.row(t)[s];
        assertThat(entry).isCloseTo(-weight, within(1e-13));
      }
    }
  }

  @Test
  void scheduled_callersArrayChanges_workloadDoesNot() {
    double[] rates = {1, 1};
    Workload workload = Workload.scheduled(rates, 0);
    rates[0] = 7;
    assertThat(workload.row(1)).containsExactly(1, 1);
  }

  @Test
  void badArguments_areNamed() {
    assertThatThrownBy(() -> Workload.prefixSum(0)).hasMessage("steps must be >= 1, got 0");
    assertThatThrownBy(() -> Workload.momentum(3, 1, 1))
        .hasMessage("momentum must be in [0, 1), got 1.0");
    assertThatThrownBy(() -> Workload.momentum(3, Double.NaN, 1))
        .hasMessage("momentum must be in [0, 1), got NaN");
    assertThatThrownBy(() -> Workload.momentum(3, 0, Double.NaN))
        .hasMessage("decay must be in (0, 1], got NaN; it multiplies the weights, 1 is no decay");
    assertThatThrownBy(() -> Workload.scheduled(new double[0], 0))
        .hasMessage("number of learningRates must be >= 1, got 0");
    assertThatThrownBy(() -> Workload.scheduled(new double[] {1, Double.NaN}, 0))
        .hasMessage("learningRates[1] must be finite and > 0, got NaN");
    assertThatThrownBy(() -> ToeplitzWorkload.of(1, Double.NaN))
        .hasMessage("coefficients[1] must be finite, got NaN");
    assertThatThrownBy(() -> Workload.prefixSum(3).row(3))
        .hasMessage("step must be in [0, 2], got 3; steps count from 0");
    assertThatThrownBy(() -> Workload.scheduled(new double[] {1}, 0).row(-1))
        .hasMessage("step must be in [0, 0], got -1; steps count from 0");
  }
}
