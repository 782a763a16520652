/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.FdpAccountant;
import ai.fastdp.accounting.accountant.GdpAccountant;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.event.NeighboringRelation;

/** The accountants by the names of the command line. */
enum AccountantKind {
  RDP,
  GDP,
  FDP;

  PrivacyAccountant create(NeighboringRelation relation) {
    return switch (this) {
      case RDP -> new RdpAccountant(relation);
      case GDP -> new GdpAccountant(relation);
      case FDP -> new FdpAccountant(relation);
    };
  }
}
