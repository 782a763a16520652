/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.run;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import ai.fastdp.accounting.ledger.FileLedger;
import ai.fastdp.accounting.ledger.LedgerPosition;
import ai.fastdp.internal.checkpoint.TensorFile;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.mechanism.NoisePosition;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.optimizer.OptimizerState;
import ai.fastdp.plan.ClippingState;
import ai.fastdp.plan.PlanManifest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes the checkpoints of a run.
 *
 * <p>A checkpoint holds what {@link SavedRun} needs to go on from a completed step. All of it
 * follows from released values and public numbers: the file is as private as the weights, and no
 * key of a random source is in it. The ledger is marked with the checkpoint's checksum after the
 * file is on disk, so that it knows its newest checkpoint.
 */
public final class RunSaver {
  static final String FORMAT = "fastdp-checkpoint";
  static final String VERSION = "1";

  private final Path file;
  private final long every;
  private final String plan;
  private final FileLedger ledger;
  private final Block block;
  private final String trainable;
  private final DpOptimizer optimizer;
  private long saved;

  public RunSaver(
      Path file,
      long every,
      PlanManifest plan,
      FileLedger ledger,
      Block block,
      TrainableParameters trainable,
      DpOptimizer optimizer) {
    this.file = file;
    this.every = every;
    this.plan = plan.text();
    this.ledger = ledger;
    this.block = block;
    this.trainable = String.join("\n", trainable.paths());
    this.optimizer = optimizer;
    // Found out before anything is trained.
    optimizer.state();
  }

  /** Notes that the run continues from a checkpoint with this number of steps. */
  public void resumedAt(long steps) {
    saved = steps;
  }

  boolean isDue(long steps) {
    return steps >= saved + every;
  }

  boolean hasUnsaved(long steps) {
    return steps > saved;
  }

  /** Saves the state after this number of completed steps; it is on disk when this returns. */
  void save(long steps, ClippingState clipping, NoisePosition noise) {
    Map<String, String> texts = new LinkedHashMap<>();
    texts.put("format", FORMAT);
    texts.put("version", VERSION);
    texts.put("plan", plan);
    texts.put("trainable", trainable);
    texts.put("steps", Long.toString(steps));
    texts.put("clipNorm", Double.toHexString(clipping.clipNorm()));
    texts.put("noiseChunks", Long.toString(noise.chunks()));
    texts.put("noiseSingles", Long.toString(noise.singles()));
    LedgerPosition position = ledger.position();
    texts.put("ledgerRecords", Long.toString(position.records()));
    texts.put("ledgerHash", position.hash());
    OptimizerState state = optimizer.state();
    texts.put("optimizerKind", state.kind());
    texts.put("optimizerUpdates", Long.toString(state.updates()));
    state
        .numbers()
        .forEach((name, value) -> texts.put("optimizer." + name, Double.toHexString(value)));

    Map<String, NDArray> tensors = new LinkedHashMap<>();
    List<NDArray> made = new ArrayList<>();
    parameters(block)
        .forEach(
            (name, parameter) -> {
              NDArray array = FloatType.readable(parameter.getArray());
              tensors.put(name, array);
              if (array != parameter.getArray()) {
                made.add(array);
              }
            });
    state
        .arrays()
        .forEach(
            (name, arrays) -> {
              for (int k = 0; k < arrays.size(); k++) {
                tensors.put(optimizerArray(name, k), arrays.get(k));
              }
            });
    ledger.mark(TensorFile.write(file, texts, tensors));
    made.forEach(NDArray::close);
    saved = steps;
  }

  static String optimizerArray(String name, int number) {
    return "optimizer/" + name + "/" + number;
  }

  /** Returns the model's parameters that have arrays, each once, by its first name. */
  static Map<String, Parameter> parameters(Block block) {
    Set<Parameter> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    Map<String, Parameter> parameters = new LinkedHashMap<>();
    for (Pair<String, Parameter> pair : block.getParameters()) {
      if (pair.getValue().isInitialized() && seen.add(pair.getValue())) {
        parameters.put("model/" + pair.getKey(), pair.getValue());
      }
    }
    return parameters;
  }
}
