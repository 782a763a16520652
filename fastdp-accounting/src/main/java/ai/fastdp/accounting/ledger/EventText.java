/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import ai.fastdp.accounting.event.ComposedEvent;
import ai.fastdp.accounting.event.DiscreteGaussianEvent;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.LaplaceEvent;
import ai.fastdp.accounting.event.NoOpEvent;
import ai.fastdp.accounting.event.PoissonSampledEvent;
import ai.fastdp.accounting.event.QuantileQueryEvent;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import ai.fastdp.accounting.event.SelfComposedEvent;
import java.util.ArrayList;
import java.util.List;

/**
 * Events as text, without loss: {@code (poisson 0x1.0p-6 (gaussian 0x1.0p0))}.
 *
 * <p>Doubles are hexadecimal, so that reading gives back the same bits.
 */
final class EventText {

  private final String text;
  private int position;

  private EventText(String text) {
    this.text = text;
  }

  static String write(DpEvent event) {
    return event.accept(new Writer());
  }

  /**
   * Reads what {@link #write} wrote.
   *
   * @throws IllegalArgumentException if the text is anything else
   */
  static DpEvent read(String text) {
    EventText reader = new EventText(text);
    DpEvent event = reader.event();
    if (reader.position != text.length()) {
      throw reader.malformed();
    }
    return event;
  }

  private DpEvent event() {
    expect("(");
    String kind = word();
    DpEvent event =
        switch (kind) {
          case "gaussian" -> new GaussianEvent(number());
          case "discrete" -> new DiscreteGaussianEvent(number());
          case "laplace" -> new LaplaceEvent(number());
          case "quantile" -> new QuantileQueryEvent(number());
          case "poisson" -> new PoissonSampledEvent(number(), nested());
          case "batch" -> new SampledWithoutReplacementEvent(integer(), integer(), nested());
          case "repeat" -> repeat();
          case "all" -> new ComposedEvent(list());
          case "none" -> new NoOpEvent();
          default -> throw malformed();
        };
    expect(")");
    return event;
  }

  private DpEvent repeat() {
    long count = integer();
    return new SelfComposedEvent(nested(), count);
  }

  private List<DpEvent> list() {
    List<DpEvent> events = new ArrayList<>();
    while (text.startsWith(" ", position)) {
      events.add(nested());
    }
    return events;
  }

  private DpEvent nested() {
    expect(" ");
    return event();
  }

  private long integer() {
    expect(" ");
    return Long.parseLong(word());
  }

  private double number() {
    expect(" ");
    return Double.parseDouble(word());
  }

  private String word() {
    int start = position;
    while (position < text.length() && " ()".indexOf(text.charAt(position)) < 0) {
      position++;
    }
    return text.substring(start, position);
  }

  private void expect(String token) {
    if (!text.startsWith(token, position)) {
      throw malformed();
    }
    position += token.length();
  }

  private IllegalArgumentException malformed() {
    return new IllegalArgumentException(
        "event must be in the text form of a ledger, got '" + text + "' at " + position);
  }

  /** Writes the kind of an event and its parts in parentheses. */
  private static final class Writer implements DpEvent.Visitor<String> {

    @Override
    public String visit(GaussianEvent event) {
      return "(gaussian " + text(event.noiseMultiplier()) + ")";
    }

    @Override
    public String visit(DiscreteGaussianEvent event) {
      return "(discrete " + text(event.noiseMultiplier()) + ")";
    }

    @Override
    public String visit(LaplaceEvent event) {
      return "(laplace " + text(event.noiseMultiplier()) + ")";
    }

    @Override
    public String visit(QuantileQueryEvent event) {
      return "(quantile " + text(event.countNoise()) + ")";
    }

    @Override
    public String visit(PoissonSampledEvent event) {
      return "(poisson " + text(event.sampleRate()) + " " + event.event().accept(this) + ")";
    }

    @Override
    public String visit(SampledWithoutReplacementEvent event) {
      return "(batch "
          + event.batchSize()
          + " "
          + event.datasetSize()
          + " "
          + event.event().accept(this)
          + ")";
    }

    @Override
    public String visit(SelfComposedEvent event) {
      return "(repeat " + event.count() + " " + event.event().accept(this) + ")";
    }

    @Override
    public String visit(ComposedEvent event) {
      StringBuilder all = new StringBuilder("(all");
      event.events().forEach(part -> all.append(' ').append(part.accept(this)));
      return all.append(')').toString();
    }

    @Override
    public String visit(NoOpEvent event) {
      return "(none)";
    }

    private static String text(double value) {
      return Double.toHexString(value);
    }
  }
}
