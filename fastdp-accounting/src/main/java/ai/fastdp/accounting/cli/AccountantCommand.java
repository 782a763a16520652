/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.calibration.NoiseCalibration;
import java.util.Map;
import picocli.CommandLine.Option;

/** A command about a run by one accountant. */
abstract class AccountantCommand extends RunCommand {

  @Option(
      names = "--accountant",
      description = "rdp, gdp (an estimate if sampled) or fdp (default).")
  private AccountantKind accountant = AccountantKind.FDP;

  final AccountantKind kind() {
    return accountant;
  }

  /** {@return the bound that has to meet a target; where GDP only estimates, the result says so} */
  final NoiseCalibration.Basis basis() {
    return accountant == AccountantKind.GDP && options().isSampled()
        ? NoiseCalibration.Basis.ESTIMATE
        : NoiseCalibration.Basis.UPPER_BOUND;
  }

  final PrivacyAccountant create() {
    return accountant.create(options().relation());
  }

  final PrivacyAccountant after(double noiseMultiplier, long steps) {
    return after(accountant, noiseMultiplier, steps);
  }

  final Map<String, Object> describe() {
    return describe(accountant);
  }
}
