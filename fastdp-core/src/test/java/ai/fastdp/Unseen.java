/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import java.util.ArrayList;
import java.util.List;

/** Notes what blocks read, in a static field that no object of a model leads to. */
final class Unseen {
  private static final List<Float> NOTES = new ArrayList<>();

  private Unseen() {}

  static void note(float value) {
    NOTES.add(value);
  }

  static List<Float> notes() {
    List<Float> notes = List.copyOf(NOTES);
    NOTES.clear();
    return notes;
  }
}
