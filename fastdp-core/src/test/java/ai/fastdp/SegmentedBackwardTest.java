/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Back-propagation from cut to cut against back-propagation of the uncut graph. */
final class SegmentedBackwardTest {
  private static final int SAMPLES = 5;

  @ParameterizedTest(name = "{0}")
  @EnumSource
  void run_anyModel_equalsTheUncutGraph(Recipe recipe) {
    try (Model model = recipe.model()) {
      NDManager manager = model.getNDManager();
      NDList data = recipe.data(manager, SAMPLES);
      NDList labels = recipe.labels(manager, SAMPLES);
      PerformanceOptions options = PerformanceOptions.defaults();
      EngineProbe.Result whole;
      try (EngineProbe probe = new EngineProbe(model, recipe.loss(), options)) {
        whole = probe.run(data, labels);
      }
      try (EngineProbe probe = new EngineProbe(model, recipe.loss(), options, true)) {
        System.out.println("CUTS " + recipe + " " + probe.cutPaths());
        probe.settleCuts(data, labels);
        System.out.println("CUTS " + recipe + " " + probe.cutPaths());
        EngineProbe.Result cut = probe.run(data, labels);
        assertThat(cut.gradients().keySet()).isEqualTo(whole.gradients().keySet());
        cut.gradients()
            .forEach(
                (parameter, gradients) -> {
                  for (int i = 0; i < SAMPLES; i++) {
                    assertThat(
                            BatchOfOneOracle.relativeError(
                                gradients[i], whole.gradient(parameter, i)))
                        .isLessThan(1e-6);
                  }
                });
      }
    }
  }
}
