/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The files of a private run that can go on after its process has ended: the ledger, the newest
 * checkpoint, and the score before training.
 *
 * @param directory where they are
 * @param everySteps how many updates lie between two checkpoints
 * @param resumed whether the run goes on from its checkpoint
 */
public record RunFiles(Path directory, int everySteps, boolean resumed) {
  private static final Gson GSON = new GsonBuilder().serializeSpecialFloatingPointValues().create();

  /**
   * Makes the directory.
   *
   * @param directory where they are
   * @param everySteps how many updates lie between two checkpoints
   * @param resumed whether the run goes on from its checkpoint
   * @throws InputException if it cannot be made, or does not hold what the run needs
   */
  public RunFiles {
    TrainingOptions.requirePositive("--checkpoint-every", everySteps);
    boolean exists = Files.exists(checkpoint(directory));
    if (resumed && !exists) {
      throw new InputException(
          "--resume needs a checkpoint in "
              + directory
              + ", got none; leave --resume out to begin");
    }
    if (exists && !resumed) {
      throw new InputException(
          "--checkpoint "
              + directory
              + " holds a run already; add --resume to go on with it, or name another directory");
    }
    try {
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw new InputException("--checkpoint must be a directory, got " + directory, e);
    }
  }

  /** What has been charged; belongs to one plan for good. */
  Path ledger() {
    return directory.resolve("ledger");
  }

  /** The newest checkpoint, once there is one. */
  Path checkpoint() {
    return checkpoint(directory);
  }

  private static Path checkpoint(Path directory) {
    return directory.resolve("run.safetensors");
  }

  private Path before() {
    return directory.resolve("before.json");
  }

  /** Keeps the score before training, which cannot be measured again once the run goes on. */
  void keep(Score score) {
    try {
      Files.writeString(before(), GSON.toJson(score) + "\n");
    } catch (IOException e) {
      throw new InputException("cannot write " + before(), e);
    }
  }

  /** The score that {@link #keep} has kept. */
  Score kept() {
    try {
      Score score = GSON.fromJson(Files.readString(before()), Score.class);
      if (score != null) {
        return score;
      }
    } catch (IOException | JsonParseException e) {
      throw new InputException("cannot read " + before() + ", which --resume needs", e);
    }
    throw new InputException("cannot read " + before() + ", which --resume needs: it is empty");
  }
}
