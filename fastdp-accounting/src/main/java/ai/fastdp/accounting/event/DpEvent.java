/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

/**
 * A description of what a mechanism did to the data, precise enough to account for it.
 *
 * <p>Events are immutable values with structural equality, so equal events can be grouped by count.
 * Every noise multiplier is the standard deviation of the noise (Laplace: its scale) divided by the
 * largest L2 norm that one record can contribute (the clip norm). Under {@link
 * NeighboringRelation#REPLACE_ONE} two contributions differ by up to twice that norm; the
 * accountants apply this factor themselves.
 *
 * <p>Operations on events implement {@link Visitor}.
 */
public sealed interface DpEvent
    permits GaussianEvent,
        DiscreteGaussianEvent,
        LaplaceEvent,
        QuantileQueryEvent,
        PoissonSampledEvent,
        SampledWithoutReplacementEvent,
        SelfComposedEvent,
        ComposedEvent,
        NoOpEvent {

  /**
   * Calls the visitor's method for this kind of event.
   *
   * @param visitor what to do with the event
   * @param <R> type of the result
   * @return what the visitor returns
   */
  <R> R accept(Visitor<R> visitor);

  /**
   * An operation on events, with one method for every kind: a new kind does not compile before
   * every operation says what it does with it.
   *
   * @param <R> type of the result
   */
  interface Visitor<R> {

    /**
     * Visits a release of a vector with Gaussian noise.
     *
     * @param event the event
     * @return the result
     */
    R visit(GaussianEvent event);

    /**
     * Visits a release of integers with discrete Gaussian noise.
     *
     * @param event the event
     * @return the result
     */
    R visit(DiscreteGaussianEvent event);

    /**
     * Visits a release of a number with Laplace noise.
     *
     * @param event the event
     * @return the result
     */
    R visit(LaplaceEvent event);

    /**
     * Visits a quantile query.
     *
     * @param event the event
     * @return the result
     */
    R visit(QuantileQueryEvent event);

    /**
     * Visits an event on a Poisson sample.
     *
     * @param event the event
     * @return the result
     */
    R visit(PoissonSampledEvent event);

    /**
     * Visits an event on a subset of fixed size.
     *
     * @param event the event
     * @return the result
     */
    R visit(SampledWithoutReplacementEvent event);

    /**
     * Visits a repeated event.
     *
     * @param event the event
     * @return the result
     */
    R visit(SelfComposedEvent event);

    /**
     * Visits a sequence of events.
     *
     * @param event the event
     * @return the result
     */
    R visit(ComposedEvent event);

    /**
     * Visits an event that releases nothing.
     *
     * @param event the event
     * @return the result
     */
    R visit(NoOpEvent event);
  }
}
