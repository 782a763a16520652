/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import picocli.CommandLine.Option;

/** The number of steps. */
final class StepsOption {

  @Option(names = "--steps", required = true, description = "Number of steps.")
  private long value;

  long value() {
    return value;
  }
}
