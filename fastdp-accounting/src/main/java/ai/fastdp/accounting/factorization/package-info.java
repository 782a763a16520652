/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Correlated-noise (matrix factorization) mechanisms as accounting: which matrix correlates the
 * noise of the steps of a run, how much error it leaves, and what one run costs.
 *
 * <p>Training uses \(A G\), where row t of G (T, d) is the sum of clipped gradients of step t and A
 * (T, T) is the {@link ai.fastdp.accounting.factorization.Workload}: ones on and below the diagonal
 * for plain SGD. A factorization A = B C releases \(B (C G + Z) = A (G + C^{-1} Z)\) with
 * independent Gaussian Z (Denisov, McMahan, Rush, Smith, Thakurta, <a
 * href="https://arxiv.org/abs/2202.08312">arXiv 2202.08312</a>, section 1). What is private is \(C
 * G + Z\), so the {@link ai.fastdp.accounting.factorization.Strategy} C alone decides the {@link
 * ai.fastdp.accounting.factorization.Sensitivity}, and the error is that of \(B Z\).
 *
 * <p>Steps are counted from 0. All arithmetic is in float64. The classes here need ND4J at run time
 * ({@code org.nd4j:nd4j-native}), an optional dependency that users of this package add themselves;
 * nothing outside of this package needs it.
 */
@NullMarked
package ai.fastdp.accounting.factorization;

import org.jspecify.annotations.NullMarked;
