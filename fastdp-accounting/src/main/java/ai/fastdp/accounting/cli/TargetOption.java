/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import picocli.CommandLine.Option;

/** The epsilon that is aimed at. */
final class TargetOption {

  @Option(
      names = {"--target-epsilon", "--epsilon"},
      required = true,
      description = "Largest epsilon.")
  private double value;

  double value() {
    return value;
  }
}
