/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.TypeTwoBound;
import java.util.LinkedHashMap;
import java.util.Map;

/** One point of a trade-off function. */
record CurvePoint(double typeOne, TypeTwoBound typeTwo) {

  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("typeOne", typeOne);
    map.put("lower", typeTwo.lower());
    map.put("estimate", typeTwo.estimate());
    map.put("upper", typeTwo.upper());
    return map;
  }
}
