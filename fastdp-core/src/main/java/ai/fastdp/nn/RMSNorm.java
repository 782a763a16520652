/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;

/**
 * Divides each position by the root of the mean of its squares, then scales.
 *
 * <p>\(y = \gamma \circ \frac{x}{\sqrt{\frac{1}{d} \sum_j x_j^2 + \epsilon}}\), over the last axis.
 *
 * <ul>
 *   <li>x, y: (x1, ..., xn, d)
 *   <li>gamma: (d), 1 at first
 * </ul>
 *
 * @see <a href="https://arxiv.org/abs/1910.07467">Zhang and Sennrich 2019, equation 4</a>
 */
public class RMSNorm extends AbstractBlock {
  private static final byte VERSION = 1;

  private final float epsilon;
  private final Parameter gamma;

  @SuppressWarnings("this-escape")
  private RMSNorm(Builder builder) {
    super(VERSION);
    epsilon = builder.epsilon;
    gamma =
        addParameter(
            Parameter.builder()
                .setName("gamma")
                .setType(Parameter.Type.GAMMA)
                .optRequiresGrad(builder.scale)
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

  /**
   * What is added to the mean square.
   *
   * @return epsilon
   */
  public float epsilon() {
    return epsilon;
  }

  /** {@inheritDoc} */
  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    NDArray input = inputs.singletonOrThrow();
    NDArray scale = parameterStore.getValue(gamma, input.getDevice(), training);
    return new NDList(NormKernels.get().rmsNorm(input, scale, epsilon));
  }

  /** {@inheritDoc} */
  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return new Shape[] {inputShapes[0]};
  }

  /** {@inheritDoc} */
  @Override
  protected void prepare(Shape[] inputShapes) {
    gamma.setShape(new Shape(inputShapes[0].get(inputShapes[0].dimension() - 1)));
  }

  /** Collects what makes an {@link RMSNorm}. */
  public static final class Builder extends ChannelNorm.ScaleBuilder<Builder> {
    private Builder() {
      super(1e-6f);
    }

    @Override
    Builder self() {
      return this;
    }

    /**
     * Makes the block.
     *
     * @return the block
     */
    public RMSNorm build() {
      return new RMSNorm(this);
    }
  }
}
