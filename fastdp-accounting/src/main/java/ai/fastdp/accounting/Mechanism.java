/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/** An event in the normal form that the accountants compute with. */
sealed interface Mechanism permits SampledGaussian {}
