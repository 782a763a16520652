/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import picocli.CommandLine.Option;

/** The noise of one step. */
final class NoiseOption {

  @Option(
      names = "--noise-multiplier",
      required = true,
      description = "Noise over clip norm (laplace: scale over largest contribution).")
  private double value;

  double value() {
    return value;
  }
}
