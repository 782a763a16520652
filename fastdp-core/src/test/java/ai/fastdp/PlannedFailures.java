/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Lets the next passes or losses fail, as memory does that runs out. It counts in static fields
 * that no object of a model leads to: what a pass that fails has counted in a model's own objects
 * would be put back, and the pass would fail again.
 */
final class PlannedFailures {
  private static final AtomicInteger PASSES = new AtomicInteger();
  private static final AtomicInteger LOSSES = new AtomicInteger();

  private PlannedFailures() {}

  static void ofPasses(int count) {
    PASSES.set(count);
  }

  static void ofLosses(int count) {
    LOSSES.set(count);
  }

  /** Fails if a pass is to. */
  static void pass() {
    fail(PASSES);
  }

  /** Fails if a loss is to. */
  static void loss() {
    fail(LOSSES);
  }

  private static void fail(AtomicInteger left) {
    if (left.getAndDecrement() > 0) {
      throw new IllegalStateException("out of memory (test)");
    }
  }
}
