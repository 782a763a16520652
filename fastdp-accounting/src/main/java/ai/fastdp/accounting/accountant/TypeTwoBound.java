/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.accountant;

/**
 * Bounds of the smallest type II error at one type I error.
 *
 * @param lower no test has a smaller type II error
 * @param estimate best guess
 * @param upper some test (or one arbitrarily close) has at most this type II error
 */
public record TypeTwoBound(double lower, double estimate, double upper) {}
