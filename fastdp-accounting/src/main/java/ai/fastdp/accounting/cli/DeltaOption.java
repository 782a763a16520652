/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import picocli.CommandLine.Option;

/** The delta that goes with an epsilon. */
final class DeltaOption {

  @Option(names = "--delta", required = true, description = "Delta in (0, 1).")
  private double value;

  double value() {
    return value;
  }
}
