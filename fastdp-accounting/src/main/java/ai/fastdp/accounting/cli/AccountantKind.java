/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.FdpAccountant;
import ai.fastdp.accounting.GdpAccountant;
import ai.fastdp.accounting.NeighboringRelation;
import ai.fastdp.accounting.PrivacyAccountant;
import ai.fastdp.accounting.RdpAccountant;

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
