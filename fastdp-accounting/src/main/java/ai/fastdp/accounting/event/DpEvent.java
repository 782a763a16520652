/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.event;

/**
 * What a mechanism did to the data, described precisely enough to account for it.
 *
 * <p>Events are immutable values with structural equality, so equal events can be grouped by count.
 * Every noise multiplier is the standard deviation of the noise (Laplace: its scale) divided by the
 * largest L2 norm that one record can contribute (the clip norm). Under {@link
 * NeighboringRelation#REPLACE_ONE} two contributions differ by up to twice that norm; the
 * accountants apply this factor themselves.
 */
public sealed interface DpEvent
    permits GaussianEvent,
        DiscreteGaussianEvent,
        LaplaceEvent,
        QuantileQueryEvent,
        PoissonSampledEvent,
        FixedBatchEvent,
        SelfComposedEvent,
        ComposedEvent,
        NoOpEvent {}
