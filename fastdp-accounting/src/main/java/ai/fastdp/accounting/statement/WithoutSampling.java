/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.statement;

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

/** Turns an event into the same event done with all data. */
final class WithoutSampling implements DpEvent.Visitor<DpEvent> {

  @Override
  public DpEvent visit(PoissonSampledEvent event) {
    return event.event().accept(this);
  }

  @Override
  public DpEvent visit(SampledWithoutReplacementEvent event) {
    return event.event().accept(this);
  }

  @Override
  public DpEvent visit(SelfComposedEvent event) {
    return new SelfComposedEvent(event.event().accept(this), event.count());
  }

  @Override
  public DpEvent visit(ComposedEvent event) {
    return new ComposedEvent(event.events().stream().map(part -> part.accept(this)).toList());
  }

  @Override
  public DpEvent visit(GaussianEvent event) {
    return event;
  }

  @Override
  public DpEvent visit(DiscreteGaussianEvent event) {
    return event;
  }

  @Override
  public DpEvent visit(LaplaceEvent event) {
    return event;
  }

  @Override
  public DpEvent visit(QuantileQueryEvent event) {
    return event;
  }

  @Override
  public DpEvent visit(NoOpEvent event) {
    return event;
  }
}
