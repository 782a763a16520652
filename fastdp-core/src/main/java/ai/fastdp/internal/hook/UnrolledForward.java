/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.Dropout;
import ai.djl.nn.recurrent.GRU;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.nn.recurrent.RNN;
import ai.djl.nn.recurrent.RecurrentBlock;
import ai.djl.training.ParameterStore;
import ai.fastdp.internal.djl.HiddenField;
import ai.fastdp.internal.kernel.RecurrentKernels;
import ai.fastdp.kernel.TorchScriptModule;

/**
 * {@link RNN}, {@link LSTM} and {@link GRU}, unrolled over time while they are recorded.
 *
 * <p>DJL's blocks run a fused kernel, whose pre-activations cannot be seen. This computes the same
 * outputs from the same parameters, to rounding, by steps that can: with pre-activations \(z_t =
 * W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}\) and their gradients \(g_t\), the weights are
 * linear layers over time, \(\partial W_{ih} = \sum_t g_t x_t^\top\), \(\partial W_{hh} = \sum_t
 * g_t h_{t-1}^\top\), and biases are sums over positions. In a GRU the reset gate stands between
 * the two parts, so that the part of the states has separate gradients.
 *
 * <p>The inputs' part of all times is one product; the loop is one kernel call for each layer and
 * direction. Outside a recording the fused kernel runs.
 */
final class UnrolledForward implements RecordedForward {
  private static final SampleAxis SAMPLES = new SampleAxis(1);

  private final RecurrentKernels kernels;
  private final RecurrentBlock block;
  // States of an LSTM and a GRU pass through tanh.
  private final RNN.Activation activation;
  private final int layers;
  private final int directions;
  private final boolean biased;
  private final boolean returnState;
  private final float dropRate;
  private final long width;
  private final SampleAxis axis;

  UnrolledForward(String path, RecurrentBlock block, TorchScriptModule kernels) {
    this.kernels = new RecurrentKernels(kernels);
    this.block = block;
    activation =
        block instanceof RNN
            ? (RNN.Activation) setting(RNN.class, "activation")
            : RNN.Activation.TANH;
    layers = (int) setting(RecurrentBlock.class, "numLayers");
    directions = (boolean) setting(RecurrentBlock.class, "bidirectional") ? 2 : 1;
    biased = (boolean) setting(RecurrentBlock.class, "hasBiases");
    returnState = (boolean) setting(RecurrentBlock.class, "returnState");
    dropRate = (float) setting(RecurrentBlock.class, "dropRate");
    width = (long) setting(RecurrentBlock.class, "stateSize");
    axis = new SampleAxis((boolean) setting(RecurrentBlock.class, "batchFirst") ? 0 : 1);
    if (directions == 2 && biased) {
      throw new IllegalArgumentException(
          "layer '"
              + path
              + "' ("
              + block.getClass().getName()
              + ") must have one direction or no biases, got two directions with biases, which"
              + " DJL 0.35.1 cannot run: it hands PyTorch the parameters in another order; build it"
              + " with optHasBiases(false)");
    }
  }

  @Override
  public NDList run(LayerHook hook, Recording recording, HookedBlock layer, Call call) {
    NDArray input = call.inputs().head();
    long samples = recording.batchSize();
    if (input.getShape().dimension() != 3 || !axis.holds(input, samples)) {
      throw hook.misplacedSamples("input", input, axis, samples);
    }
    NDList states = states(hook, call.inputs(), samples);
    NDArray sequence = axis.number() == 0 ? input.transpose(1, 0, 2) : input;
    if (sequence.getShape().get(0) == 0) {
      throw new IllegalArgumentException(
          "input of layer '"
              + hook.path()
              + "' must have at least one time step, got "
              + axis.describe(input.getShape(), samples)
              + "; leave out or pad empty sequences");
    }
    NDList lastStates = new NDList();
    NDList lastCells = new NDList();
    for (int l = 0; l < layers; l++) {
      NDList outputs = new NDList();
      for (int d = 0; d < directions; d++) {
        outputs.add(
            new Direction(hook, recording, call.store(), l, d)
                .run(sequence, states, lastStates, lastCells));
      }
      sequence = outputs.size() == 1 ? outputs.head() : NDArrays.concat(outputs, 2);
      if (l < layers - 1 && dropRate > 0 && call.training()) {
        sequence = Dropout.dropout(sequence, dropRate, true).singletonOrThrow();
      }
    }
    NDList result = new NDList(axis.number() == 0 ? sequence.transpose(1, 0, 2) : sequence);
    if (returnState) {
      result.add(NDArrays.stack(lastStates, 0));
      if (block instanceof LSTM) {
        result.add(NDArrays.stack(lastCells, 0));
      }
    }
    return result;
  }

  /** The given initial states, zeros for those that are not given. */
  private NDList states(LayerHook hook, NDList inputs, long samples) {
    DataType type = inputs.head().getDataType();
    // DJL has no name for bfloat16, and ends the process when it makes an array of such a type.
    if (type == DataType.UNKNOWN) {
      throw new IllegalArgumentException(
          "input of layer '"
              + hook.path()
              + "' ("
              + block.getClass().getName()
              + ") must be float32 or float16, got a type that DJL 0.35.1 cannot make states of;"
              + " train recurrent layers in float16");
    }
    Shape shape = new Shape((long) layers * directions, samples, width);
    NDList states = new NDList();
    int count = block instanceof LSTM ? 2 : 1;
    for (int i = 1; i <= count; i++) {
      NDArray state =
          i < inputs.size() ? inputs.get(i) : inputs.head().getManager().zeros(shape, type);
      if (!state.getShape().equals(shape)) {
        throw new IllegalStateException(
            "initial state of layer '"
                + hook.path()
                + "' must have shape "
                + SAMPLES.describe(shape, samples)
                + " (layers and directions, samples, state size), got "
                + SAMPLES.describe(state.getShape(), samples)
                + "; give one state for each sample");
      }
      states.add(state);
    }
    return states;
  }

  /** One direction of one layer. */
  private final class Direction {
    private final LayerHook hook;
    private final Recording recording;
    private final ParameterStore store;
    private final int number;
    private final boolean reverse;
    private final String prefix;

    Direction(LayerHook hook, Recording recording, ParameterStore store, int layer, int d) {
      this.hook = hook;
      this.recording = recording;
      this.store = store;
      number = layer * directions + d;
      reverse = d == 1;
      prefix = (reverse ? "r_" : "l_") + layer + "_";
    }

    /** Runs a sequence (T, B, d) to outputs (T, B, H) and adds the last states. */
    NDArray run(NDArray x, NDList states, NDList lastStates, NDList lastCells) {
      Recording.Tap ofInputs = recording.tap(hook, inputPart(x), SAMPLES);
      recording.addUse(hook, prefix + "i2h", x, SAMPLES, ofInputs);
      NDArray z = ofInputs.onward();
      NDArray weight = value(x, "h2h_WEIGHT");
      NDArray state = states.get(0).get(number);

      Recording.Tap ofStates = ofInputs;
      NDArray all;
      if (block instanceof LSTM) {
        NDList results = kernels.lstm(reverse, z, state, states.get(1).get(number), weight);
        all = results.get(0);
        lastCells.add(results.get(1));
      } else if (block instanceof GRU) {
        NDArray bias =
            biased
                ? value(x, "h2h_BIAS")
                : x.getManager().zeros(new Shape(z.getShape().get(2)), z.getDataType());
        // One bias for every time and sample, whose gradients are those of the states' part.
        ofStates = recording.tap(hook, bias.broadcast(z.getShape()), SAMPLES);
        all = kernels.gru(reverse, z, state, weight, ofStates.onward());
      } else {
        all = kernels.rnn(activation, reverse, z, state, weight);
      }
      long steps = x.getShape().get(0);
      NDArray outputs = all.get((reverse ? 0 : 1) + ":" + (reverse ? steps : steps + 1));
      NDArray before = all.get((reverse ? 1 : 0) + ":" + (reverse ? steps + 1 : steps));
      recording.addUse(hook, prefix + "h2h", before, SAMPLES, ofStates);
      lastStates.add(all.get(reverse ? 0 : steps));
      return outputs;
    }

    /** The inputs' part of the pre-activations of all times, (T, B, gates H). */
    private NDArray inputPart(NDArray x) {
      NDArray weight = value(x, "i2h_WEIGHT");
      if (!biased) {
        return kernels.inputPart(x, weight, null);
      }
      NDArray bias = value(x, "i2h_BIAS");
      if (!(block instanceof GRU)) {
        bias = bias.add(value(x, "h2h_BIAS"));
      }
      return kernels.inputPart(x, weight, bias);
    }

    private NDArray value(NDArray x, String name) {
      Parameter parameter = block.getDirectParameters().get(prefix + name);
      return store.getValue(parameter, x.getDevice(), true);
    }
  }

  private Object setting(Class<?> owner, String name) {
    return HiddenField.of(owner, name).require(block);
  }
}
