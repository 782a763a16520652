/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import ai.fastdp.internal.djl.HiddenField;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;

/**
 * A TorchScript module inside a model that is recorded.
 *
 * <p>DJL runs it in inference mode without a graph; the self-check needs the graph. And a module
 * may hold batch statistics, which DJL does not show: they would take in raw data. Before it is
 * first trained it runs on zeros, and its state must stay as it is.
 */
final class ScriptedForward implements RecordedForward {
  private static final HiddenField TRAINING = HiddenField.of(PtSymbolBlock.class, "isTrain");

  private boolean checked;

  @Override
  public NDList run(LayerHook hook, Recording recording, HookedBlock layer, Call call) {
    requireStateless(hook, layer, call);
    return withGraph(hook, layer, call);
  }

  /** Runs the module in the mode that is asked for, with a graph in either. */
  NDList withGraph(LayerHook hook, HookedBlock layer, Call call) {
    if (call.training()) {
      return call.run(layer);
    }
    PtSymbolBlock module = module(hook, layer);
    JniUtils.enableInferenceMode(module);
    try {
      return IValueUtils.forward(module, call.inputs(), true);
    } finally {
      if (isTraining(module)) {
        JniUtils.enableTrainingMode(module);
      }
    }
  }

  /** Checks that a training pass changes nothing that the module holds. */
  void requireStateless(LayerHook hook, HookedBlock layer, Call call) {
    if (checked || !call.training()) {
      return;
    }
    NDList zeros = new NDList();
    for (NDArray array : call.inputs()) {
      NDArray zero = array.zerosLike();
      zero.setName(array.getName());
      zeros.add(zero);
    }
    PtSymbolBlock module = module(hook, layer);
    // Sets the mode, which is part of what is written.
    JniUtils.enableTrainingMode(module);
    byte[] before = digest(module);
    call.with(zeros, null).run(layer).close();
    if (!Arrays.equals(before, digest(module))) {
      throw new IllegalStateException(
          "TorchScript block '"
              + hook.path()
              + "' must keep no state from the data, got one whose state a training pass changes"
              + " (batch statistics, say); export the module with fixed statistics (eval())");
    }
    checked = true;
  }

  /** The twin knows the module's mode; a stand-in asks the block itself. */
  private static PtSymbolBlock module(LayerHook hook, HookedBlock layer) {
    return (PtSymbolBlock) (layer instanceof PtSymbolBlock ? layer : hook.block());
  }

  private static byte[] digest(PtSymbolBlock module) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      try (DataOutputStream out =
          new DataOutputStream(new DigestOutputStream(OutputStream.nullOutputStream(), digest))) {
        JniUtils.writeModule(module, out, false);
      }
      return digest.digest();
    } catch (IOException e) {
      throw new UncheckedIOException("writing a module to memory failed", e);
    } catch (NoSuchAlgorithmException e) {
      throw new LinkageError("every JDK has SHA-256", e);
    }
  }

  private static boolean isTraining(PtSymbolBlock module) {
    return (boolean) TRAINING.require(module);
  }
}
