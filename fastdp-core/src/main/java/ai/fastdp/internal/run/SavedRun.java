/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.run;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.fastdp.accounting.ledger.FileLedger;
import ai.fastdp.accounting.ledger.LedgerPosition;
import ai.fastdp.internal.checkpoint.TensorFile;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.internal.kernel.SumKernels;
import ai.fastdp.internal.pass.TrainableParameters;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.mechanism.NoisePosition;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.optimizer.OptimizerState;
import ai.fastdp.plan.ClippingState;
import ai.fastdp.plan.PlanManifest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/** A checkpoint that {@link RunSaver} wrote, checked and ready to be continued. */
public final class SavedRun implements AutoCloseable {
  private final Path file;
  private final TensorFile tensors;

  private SavedRun(Path file, TensorFile tensors) {
    this.file = file;
    this.tensors = tensors;
  }

  /**
   * Opens a checkpoint.
   *
   * @throws IllegalStateException if the file is damaged, is of another format or plan, trains
   *     other parameters, is not the newest checkpoint of the ledger, or knows charges that the
   *     ledger does not have
   */
  public static SavedRun open(
      Path file, PlanManifest plan, TrainableParameters trainable, FileLedger ledger) {
    TensorFile tensors = TensorFile.open(file);
    try {
      SavedRun run = new SavedRun(file, tensors);
      run.requireFormat();
      plan.requireSame(run.text("plan"));
      run.requireSameTrainable(trainable);
      run.requireNewest(ledger);
      return run;
    } catch (RuntimeException e) {
      tensors.close();
      throw e;
    }
  }

  public long steps() {
    return number("steps");
  }

  /** Returns what clipping had learned when the checkpoint was written. */
  public ClippingState clipping() {
    return new ClippingState(Double.parseDouble(text("clipNorm")));
  }

  public NoisePosition noisePosition() {
    return new NoisePosition(number("noiseChunks"), number("noiseSingles"));
  }

  private void requireFormat() {
    String format = tensors.metadata().get("format");
    String version = tensors.metadata().get("version");
    if (!RunSaver.FORMAT.equals(format) || !RunSaver.VERSION.equals(version)) {
      throw new IllegalStateException(
          "checkpoint must be of format "
              + RunSaver.FORMAT
              + " "
              + RunSaver.VERSION
              + ", got "
              + format
              + " "
              + version
              + " in "
              + file
              + "; use the version of fastdp that wrote it");
    }
  }

  private void requireSameTrainable(TrainableParameters trainable) {
    List<String> saved = text("trainable").lines().toList();
    if (!saved.equals(trainable.paths())) {
      throw new IllegalStateException(
          "trainable parameters must be those of the checkpoint, "
              + saved
              + ", got "
              + trainable.paths()
              + "; build and freeze the model as before");
    }
  }

  /**
   * The ledger has been where the checkpoint says, and has not been marked for a later one. Charges
   * after the checkpoint are in order: their steps were cut off, and they stay charged.
   */
  private void requireNewest(FileLedger ledger) {
    List<String> later =
        ledger.marksAfter(new LedgerPosition(number("ledgerRecords"), text("ledgerHash")));
    if (later.stream().anyMatch(mark -> !mark.equals(tensors.checksum()))) {
      throw new IllegalStateException(
          "checkpoint must be the newest of its ledger, got one of step "
              + steps()
              + ", "
              + file
              + ", where the ledger knows a later one; resume from that");
    }
  }

  /** Restores the weights and the optimizer's state. */
  public void restore(
      Block block, TorchScriptModule kernels, NDManager manager, DpOptimizer optimizer) {
    Map<String, Parameter> parameters = RunSaver.parameters(block);
    TreeSet<String> saved = new TreeSet<>(tensors.names());
    saved.removeIf(name -> !name.startsWith("model/"));
    if (!saved.equals(new TreeSet<>(parameters.keySet()))) {
      throw new IllegalStateException(
          "parameters must be those of the checkpoint, "
              + saved
              + ", got "
              + parameters.keySet()
              + "; build the model as before");
    }
    try (NDManager scope = manager.newSubManager()) {
      Map<String, NDArray> arrays = new LinkedHashMap<>();
      parameters.forEach(
          (name, parameter) -> {
            NDArray array = tensors.read(name, scope);
            NDArray target = FloatType.readable(parameter.getArray());
            if (target != parameter.getArray()) {
              target.attach(scope);
            }
            if (!array.getShape().equals(target.getShape())
                || array.getDataType() != target.getDataType()) {
              throw new IllegalStateException(
                  "parameter '"
                      + name
                      + "' must be as in the checkpoint, "
                      + array.getDataType()
                      + array.getShape()
                      + ", got "
                      + target.getDataType()
                      + target.getShape()
                      + "; build the model as before");
            }
            arrays.put(name, array);
          });
      OptimizerState state = optimizerState(scope);
      optimizer.restore(state);
      parameters.forEach(
          (name, parameter) ->
              new SumKernels(kernels)
                  .copyInto(parameter.getArray(), Objects.requireNonNull(arrays.get(name))));
    }
  }

  private OptimizerState optimizerState(NDManager scope) {
    Map<String, Double> numbers = new LinkedHashMap<>();
    tensors
        .metadata()
        .forEach(
            (name, value) -> {
              if (name.startsWith("optimizer.")) {
                numbers.put(name.substring("optimizer.".length()), Double.parseDouble(value));
              }
            });
    Map<String, List<NDArray>> arrays = new LinkedHashMap<>();
    for (String name : tensors.names()) {
      if (name.startsWith("optimizer/")) {
        String list = name.substring("optimizer/".length(), name.lastIndexOf('/'));
        List<NDArray> ofList = arrays.computeIfAbsent(list, key -> new ArrayList<>());
        if (!name.equals(RunSaver.optimizerArray(list, ofList.size()))) {
          throw new IllegalStateException(
              "the optimizer's arrays must be complete, got '" + name + "' in " + file);
        }
        ofList.add(tensors.read(name, scope));
      }
    }
    return new OptimizerState(text("optimizerKind"), number("optimizerUpdates"), numbers, arrays);
  }

  private String text(String name) {
    String text = tensors.metadata().get(name);
    if (text == null) {
      throw new IllegalStateException(
          "checkpoint must have '" + name + "', got none in " + file + "; use another one");
    }
    return text;
  }

  private long number(String name) {
    return Long.parseLong(text(name));
  }

  @Override
  public void close() {
    tensors.close();
  }
}
