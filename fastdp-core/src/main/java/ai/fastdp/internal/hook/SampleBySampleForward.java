/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.fastdp.internal.kernel.FloatType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A block that runs on one sample at a time, so that autograd tells the samples' gradients apart.
 *
 * <p>It may read its parameters in any way: they are in the graph. It costs B runs of the block
 * instead of one, and B gradients of all its parameters at once.
 */
final class SampleBySampleForward implements RecordedForward {
  private final @Nullable ScriptedForward script;
  private final List<Parameter> trainable;

  SampleBySampleForward(Block block) {
    script = block instanceof PtSymbolBlock ? new ScriptedForward() : null;
    trainable = trainable(block);
  }

  private static List<Parameter> trainable(Block block) {
    Set<Parameter> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    return block.getParameters().values().stream()
        .filter(Parameter::requiresGradient)
        .filter(seen::add)
        .toList();
  }

  @Override
  public NDList run(LayerHook hook, Recording recording, HookedBlock block, Call call) {
    recording.requireFirstRun(hook);
    SampleAxis axis = recording.axis(hook);
    int samples = Math.toIntExact(recording.batchSize());
    SampleAxis labelAxis = recording.labelAxis();
    requireSamples(hook, "input", call.inputs(), axis, samples);
    if (call.labels() != null) {
      requireSamples(hook, "label", call.labels(), labelAxis, samples);
    }
    List<NDList> outputs = new ArrayList<>(samples);
    for (int i = 0; i < samples; i++) {
      NDList one = sample(call.inputs(), axis, i);
      NDList label = call.labels() == null ? null : sample(call.labels(), labelAxis, i);
      outputs.add(runOne(hook, block, call.with(one, label)));
    }
    NDList results = new NDList();
    for (int j = 0; j < outputs.get(0).size(); j++) {
      results.add(joined(hook, recording, axis, outputs, j));
    }
    return results;
  }

  private static void requireSamples(
      LayerHook hook, String what, NDList arrays, SampleAxis axis, int samples) {
    for (NDArray array : arrays) {
      hook.requireSamples(what, array, axis, samples);
    }
  }

  private static NDList sample(NDList arrays, SampleAxis axis, int number) {
    NDList one = new NDList();
    for (NDArray array : arrays) {
      NDArray row = axis.slice(array, number, number + 1);
      row.setName(array.getName());
      one.add(row);
    }
    return one;
  }

  private NDList runOne(LayerHook hook, HookedBlock block, Call call) {
    if (script == null) {
      return call.run(block);
    }
    script.requireStateless(hook, block, call);
    return script.withGraph(hook, block, call);
  }

  /** The samples' outputs of one number, put together and recorded. */
  private NDArray joined(
      LayerHook hook, Recording recording, SampleAxis axis, List<NDList> outputs, int number) {
    NDList parts = new NDList();
    List<NDArray> graphs = new ArrayList<>();
    for (NDList output : outputs) {
      NDArray part = output.get(number);
      hook.requireSamples("output", part, axis, 1);
      parts.add(part);
    }
    // DJL's concatenation of a single array leaves the graph.
    NDArray only = parts.head();
    NDArray whole =
        parts.size() == 1 ? only.reshape(only.getShape()) : NDArrays.concat(parts, axis.number());
    whole.setName(parts.head().getName());
    if (!FloatType.isFloat(whole)) {
      return whole;
    }
    for (NDArray part : parts) {
      NDArray first = axis.toFirst(part.reshape(part.getShape()));
      recording.keep(first);
      graphs.add(first);
    }
    return recording.addSamples(hook, whole, axis, new SampleGraphs(trainable, graphs));
  }

  @Override
  public boolean owns(Block block, Parameter parameter) {
    return block.getParameters().values().stream().anyMatch(p -> p == parameter);
  }

  @Override
  public boolean takesLabels() {
    return true;
  }

  @Override
  public boolean differentiatesParameters() {
    return true;
  }
}
