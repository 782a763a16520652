/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting;

/**
 * The Gaussian mechanism on a Poisson sample.
 *
 * @param sampleRate q in (0, 1]
 * @param noiseMultiplier sigma, relative to the clip norm
 */
record SampledGaussian(double sampleRate, double noiseMultiplier) implements Mechanism {}
