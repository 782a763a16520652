/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.mechanism.PrivatizedGradient;

/**
 * Updates weights from privatized gradients.
 *
 * <p>It is not a DJL {@code Optimizer}: that one's {@code update} takes any array, and a raw
 * gradient passed to it would train without privacy.
 */
public interface DpOptimizer extends AutoCloseable {
  /**
   * Updates every parameter once.
   *
   * @param gradient the privatized gradient of one logical step
   */
  void update(PrivatizedGradient gradient);

  /** Releases the optimizer's state. */
  @Override
  void close();
}
