/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

/** How a whole training step is run. */
enum StepMode {
  /** DJL's own trainer and optimizer, without privacy. */
  PLAIN,
  /** fastdp's book-keeping engine with its secure noise and fused optimizer. */
  BK,
  /** As BK, with all parameters but the biases frozen (DP-BiTFiT). */
  BIAS
}
