/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.LinkedHashMap;
import java.util.Map;

/** A user's block whose parts are wired by a function given in the test. */
class Wiring extends AbstractBlock {
  private final Map<String, Block> parts = new LinkedHashMap<>();
  private final Map<String, Shape> shapes = new LinkedHashMap<>();
  private final Body body;

  /** What the block does with its input. */
  interface Body {
    NDArray run(Call call, NDArray input);
  }

  Wiring(Body body) {
    this.body = body;
  }

  /** Adds a part that is initialized with a shape of input, without the sample axis. */
  Wiring part(String name, Block block, long... inputShape) {
    parts.put(name, addChildBlock(name, block));
    shapes.put(name, new Shape(1).addAll(new Shape(inputShape)));
    return this;
  }

  /** Adds a parameter of the block's own. */
  Wiring parameter(String name, long... shape) {
    addParameter(
        Parameter.builder()
            .setName(name)
            .setType(Parameter.Type.WEIGHT)
            .optShape(new Shape(shape))
            .build());
    return this;
  }

  Block get(String name) {
    Block part = parts.get(name);
    if (part == null) {
      throw new IllegalArgumentException(name);
    }
    return part;
  }

  /** One run of the block. */
  final class Call {
    private final ParameterStore store;
    private final boolean training;

    private Call(ParameterStore store, boolean training) {
      this.store = store;
      this.training = training;
    }

    NDArray run(String name, NDArray input) {
      return get(name).forward(store, new NDList(input), training).head();
    }

    Block part(String name) {
      return get(name);
    }

    ParameterStore store() {
      return store;
    }

    boolean training() {
      return training;
    }

    /** The value of a parameter of the block's own. */
    NDArray value(String name, NDArray input) {
      return store.getValue(getDirectParameters().get(name), input.getDevice(), training);
    }
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
    return new NDList(body.run(new Call(store, training), inputs.head()));
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return inputShapes;
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputShapes) {
    parts.forEach((name, part) -> part.initialize(manager, type, shapes.get(name)));
  }
}
