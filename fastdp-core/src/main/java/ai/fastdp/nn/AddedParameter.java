/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.training.initializer.NormalInitializer;
import ai.djl.util.PairList;

/**
 * Adds a parameter to every sample: learned positions, a token, a shift.
 *
 * <p>\(y_b = x_b + p\), broadcast from the last axis as in DJL's addition.
 *
 * <ul>
 *   <li>x, y: (B, x1, ..., xn)
 *   <li>p: any shape that broadcasts to (x1, ..., xn)
 * </ul>
 */
public class AddedParameter extends AbstractBlock {
  private static final byte VERSION = 1;
  private static final float DEVIATION = 0.02f;

  private final Parameter added;

  @SuppressWarnings("this-escape")
  private AddedParameter(Shape shape, Initializer initializer) {
    super(VERSION);
    added =
        addParameter(
            Parameter.builder()
                .setName("added")
                .setType(Parameter.Type.OTHER)
                .optShape(shape)
                .optInitializer(initializer)
                .build());
  }

  /**
   * Starts a block.
   *
   * @return a builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /** {@inheritDoc} */
  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    NDArray input = inputs.singletonOrThrow();
    return new NDList(input.add(parameterStore.getValue(added, input.getDevice(), training)));
  }

  /** {@inheritDoc} */
  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return new Shape[] {inputShapes[0]};
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalArgumentException if the parameter does not broadcast to a sample
   */
  @Override
  protected void beforeInitialize(Shape... inputShapes) {
    super.beforeInitialize(inputShapes);
    Shape sample = inputShapes[0].slice(1);
    Shape shape = added.getShape();
    int skipped = sample.dimension() - shape.dimension();
    boolean fits = skipped >= 0;
    for (int i = 0; fits && i < shape.dimension(); i++) {
      fits = shape.get(i) == 1 || shape.get(i) == sample.get(i + skipped);
    }
    if (!fits) {
      throw new IllegalArgumentException(
          "shape must broadcast to a sample " + sample + ", got " + shape + "; see setShape");
    }
  }

  /** Collects what makes an {@link AddedParameter}. */
  public static final class Builder {
    private Shape shape = new Shape();
    private Initializer initializer = new NormalInitializer(DEVIATION);

    private Builder() {}

    /**
     * Sets the shape of the parameter, without an axis for the samples.
     *
     * @param value a shape that broadcasts to a sample's
     * @return this builder
     */
    public Builder setShape(Shape value) {
      shape = value;
      return this;
    }

    /**
     * Sets the initial values; normal with deviation 0.02 by default.
     *
     * @param value the initializer
     * @return this builder
     */
    public Builder optInitializer(Initializer value) {
      initializer = value;
      return this;
    }

    /**
     * Makes the block.
     *
     * @return the block
     * @throws IllegalArgumentException if the shape is not set
     */
    public AddedParameter build() {
      if (shape.dimension() == 0) {
        throw new IllegalArgumentException("shape must be set, got none; call setShape");
      }
      return new AddedParameter(shape, initializer);
    }
  }
}
