/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

/** Tells that a sample's arrays depend on the rest of its batch. */
final class DependentSampleException extends IllegalStateException {
  private static final long serialVersionUID = 1;

  DependentSampleException(String message) {
    super(message);
  }
}
