/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import java.util.Arrays;
import java.util.List;

/** Events as cells of reference tables: {@code poisson,rate,noise;laplace,noise}. */
final class EventCells {

  private EventCells() {}

  static List<DpEvent> read(String cell) {
    return Arrays.stream(cell.split(";", -1)).map(EventCells::event).toList();
  }

  private static DpEvent event(String text) {
    String[] parts = text.split(",", -1);
    double noise = Double.parseDouble(parts[parts.length - 1]);
    return switch (parts[0]) {
      case "gaussian" -> new GaussianEvent(noise);
      case "laplace" -> new LaplaceEvent(noise);
      case "poisson" ->
          new PoissonSampledEvent(Double.parseDouble(parts[1]), new GaussianEvent(noise));
      case "batch" ->
          new SampledWithoutReplacementEvent(
              Long.parseLong(parts[1]), Long.parseLong(parts[2]), new GaussianEvent(noise));
      default -> throw new IllegalArgumentException(text);
    };
  }
}
