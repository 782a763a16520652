/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.pass;

import ai.djl.ndarray.NDArray;
import ai.fastdp.internal.state.Place;
import ai.fastdp.internal.state.ReachableState;
import ai.fastdp.internal.state.Snapshot;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Keeps what a pass writes into Java objects from any later pass, where it depends on data.
 *
 * <p>The state that the model's blocks and its loss reach is taken down before a training pass and
 * compared after it. A place that has changed is tried out on other samples: if it then holds the
 * same, it moves without data (a counter, a mask by length, a schedule) and stays as the pass left
 * it. Else it is put back before every later pass, and so is whatever an evaluation or a pass that
 * was given up has changed. Passes of checks leave nothing at all.
 */
public final class PassState {
  private final ReachableState reachable;
  private final Map<Object, Movement> movements = new HashMap<>();
  private final List<Left> left = new ArrayList<>();
  private @Nullable Snapshot inFlight;
  private @Nullable Snapshot beforeTrial;
  private int trials;
  private long passes;

  public PassState(ReachableState reachable) {
    this.reachable = reachable;
  }

  /** What a pass left in a place that is to be put back before the next one. */
  private record Left(Snapshot before, Place place, @Nullable Object after) {}

  /** Tells for places that changed whether they move without data, by running other passes. */
  @FunctionalInterface
  public interface Experiment {
    /**
     * Tries places out.
     *
     * @param before the state from which every pass starts, which now holds
     * @param places the places to try out
     * @return those that hold the same whatever the samples are; empty if that cannot be told
     */
    Optional<List<Place>> withoutData(Snapshot before, List<Place> places);
  }

  /** A stretch of passes, at the end of which everything is put back as it was. */
  @FunctionalInterface
  public interface Trial extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Begins a stretch of passes that leaves nothing behind; inside another one, it has no effect.
   */
  public Trial trial() {
    if (trials++ == 0) {
      beforeTrial = reachable.take();
    }
    boolean[] open = {true};
    return () -> {
      if (open[0]) {
        open[0] = false;
        trials--;
        rewind(trials == 0);
      }
    };
  }

  /** Puts everything back as it was when the trial began, and goes on with it. */
  public List<Place> rewind() {
    return rewind(true);
  }

  /** Returns the places that the trial under way has changed. */
  public List<Place> changes() {
    return beforeTrial == null ? List.of() : beforeTrial.changed();
  }

  private List<Place> rewind(boolean outermost) {
    Snapshot before = beforeTrial;
    if (!outermost || before == null) {
      return List.of();
    }
    if (trials == 0) {
      beforeTrial = null;
    }
    List<Place> changed = before.changed();
    before.close(before.putBack(changed));
    return changed;
  }

  /** Puts back what earlier passes have left that depends on data. */
  public void prepare() {
    giveUp();
    List<NDArray> arrays = new ArrayList<>();
    left.forEach(one -> arrays.addAll(one.before().undo(one.place(), one.after())));
    if (!left.isEmpty()) {
      left.clear();
      reachable.take().close(arrays);
    }
  }

  /** Begins a training pass. */
  public void begin() {
    prepare();
    Snapshot before = reachable.begin();
    movements.values().removeIf(movement -> !before.reaches(movement.place));
    inFlight = before;
    passes++;
  }

  /** Ends a training pass: sees what it has changed. */
  public void end(Experiment experiment) {
    Snapshot before = inFlight;
    inFlight = null;
    if (before == null) {
      return;
    }
    List<Place> changed = before.changed();
    if (changed.isEmpty()) {
      return;
    }
    List<Object> after = new ArrayList<>();
    changed.forEach(place -> after.add(place.now()));
    List<Place> moved = new ArrayList<>();
    boolean due = false;
    for (int i = 0; i < changed.size(); i++) {
      Place place = changed.get(i);
      Movement movement = movements.computeIfAbsent(place.key(), key -> new Movement(place));
      if (!movement.holdsData) {
        moved.add(place);
        due |= movement.isDue(place.raised(after.get(i)), passes);
      }
    }
    if (due) {
      examine(before, changed, moved, after, experiment);
    }
    for (int i = 0; i < changed.size(); i++) {
      Movement movement = movements.get(changed.get(i).key());
      if (movement == null || movement.holdsData) {
        left.add(new Left(before, changed.get(i), after.get(i)));
      }
    }
  }

  private void examine(
      Snapshot before,
      List<Place> changed,
      List<Place> moved,
      List<Object> after,
      Experiment experiment) {
    before.putBack(changed);
    Optional<List<Place>> free;
    try {
      free = experiment.withoutData(before, moved);
    } finally {
      before.close(before.putBack(before.changed()));
      for (int i = 0; i < changed.size(); i++) {
        changed.get(i).write(after.get(i));
      }
    }
    for (Place place : moved) {
      Movement movement = movements.get(place.key());
      if (free.isEmpty()) {
        movements.remove(place.key());
      } else if (movement != null && !free.get().contains(place)) {
        movement.holdsData = true;
      }
    }
  }

  /** Gives a training pass up: what it has changed is put back before the next one. */
  public void giveUp() {
    Snapshot before = inFlight;
    inFlight = null;
    if (before != null) {
      before.changed().forEach(place -> left.add(new Left(before, place, place.now())));
    }
  }

  /** Runs an evaluation, whose changes are put back before the next pass. */
  @SuppressWarnings("try") // What passes leave is put back when the trial is closed.
  public <T> T evaluate(Supplier<T> run) {
    if (inFlight != null || trials > 0) {
      try (Trial ignored = trial()) {
        return run.get();
      }
    }
    prepare();
    inFlight = reachable.begin();
    try {
      return run.get();
    } finally {
      giveUp();
    }
  }

  /** How a place has moved so far. */
  private static final class Movement {
    private static final int OFTEN = 128;

    private final Place place;
    private boolean holdsData;
    private long moves;
    private long last;
    private long longestPause;
    private @Nullable Long raised;

    Movement(Place place) {
      this.place = place;
    }

    /**
     * Whether a change is to be tried out: the first ones, fewer and fewer of those that come at
     * every pass, and each that comes after a longer pause than any before.
     */
    boolean isDue(@Nullable Long by, long pass) {
      moves++;
      long pause = pass - last;
      boolean likeBefore = by != null && by.equals(raised);
      boolean due =
          (moves & (moves - 1)) == 0
              || (!likeBefore && (moves % OFTEN == 0 || pause > longestPause || by != null));
      longestPause = Math.max(longestPause, pause);
      last = pass;
      raised = by;
      return due;
    }
  }
}
