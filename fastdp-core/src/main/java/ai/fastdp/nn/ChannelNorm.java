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
 * Normalises each sample over groups of channels, then scales and shifts each channel.
 *
 * <p>\(y_{bc\cdot} = \gamma_c \frac{x_{bc\cdot} - \mu_{bk}}{\sqrt{\sigma^2_{bk} + \epsilon}} +
 * \beta_c\), where channel c belongs to group \(k = \lfloor c K / C \rfloor\) of K, and
 * \(\mu_{bk}\) and \(\sigma^2_{bk}\) are the mean and the variance (divided by the count) of sample
 * b's channels of that group over all positions.
 *
 * <ul>
 *   <li>x, y: (B, C, ...), channels on axis 1
 *   <li>gamma, beta: (C), 1 and 0 at first
 * </ul>
 *
 * <p>No statistics are shared between samples and none are kept, so that training and inference
 * compute the same, and a sample's gradient does not depend on its batch.
 */
public abstract class ChannelNorm extends AbstractBlock {
  private static final byte VERSION = 1;

  private final float epsilon;
  private final Parameter gamma;
  private final Parameter beta;

  @SuppressWarnings("this-escape")
  ChannelNorm(BaseBuilder<?> builder) {
    super(VERSION);
    epsilon = builder.epsilon;
    gamma =
        addParameter(
            Parameter.builder()
                .setName("gamma")
                .setType(Parameter.Type.GAMMA)
                .optRequiresGrad(builder.scale)
                .build());
    beta =
        addParameter(
            Parameter.builder()
                .setName("beta")
                .setType(Parameter.Type.BETA)
                .optRequiresGrad(builder.center)
                .build());
  }

  /**
   * The number of groups that an input's channels form.
   *
   * @param channels the number of channels C
   * @return K, a divisor of C
   */
  public abstract long groups(long channels);

  /**
   * What is added to the variance.
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
    NDArray shift = parameterStore.getValue(beta, input.getDevice(), training);
    long groups = groups(input.getShape().get(1));
    return new NDList(NormKernels.get().groupNorm(input, scale, shift, groups, epsilon));
  }

  /** {@inheritDoc} */
  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return new Shape[] {inputShapes[0]};
  }

  /** {@inheritDoc} */
  @Override
  protected void prepare(Shape[] inputShapes) {
    Shape channels = new Shape(inputShapes[0].get(1));
    gamma.setShape(channels);
    beta.setShape(channels);
  }

  /**
   * What the builders of these blocks have in common.
   *
   * @param <T> the builder's own type
   */
  public abstract static class BaseBuilder<T extends BaseBuilder<T>> extends ScaleBuilder<T> {
    boolean center = true;

    BaseBuilder() {
      super(1e-5f);
    }

    /**
     * Sets whether the shift beta is trained; it is by default.
     *
     * @param value false to leave it as it is, 0 unless it was loaded
     * @return this builder
     */
    public T optCenter(boolean value) {
      center = value;
      return self();
    }
  }

  /**
   * What the builders of normalisations have in common.
   *
   * @param <T> the builder
   */
  public abstract static class ScaleBuilder<T extends ScaleBuilder<T>> {
    float epsilon;
    boolean scale = true;

    ScaleBuilder(float epsilon) {
      this.epsilon = epsilon;
    }

    abstract T self();

    /**
     * Sets what is added to the variance or mean square; 1e-5 by default, 1e-6 for {@link RMSNorm}.
     *
     * @param value epsilon, > 0
     * @return this builder
     * @throws IllegalArgumentException if it is not finite and positive
     */
    public T optEpsilon(float value) {
      if (!(value > 0) || Float.isInfinite(value)) {
        throw new IllegalArgumentException("epsilon must be finite and > 0, got " + value);
      }
      epsilon = value;
      return self();
    }

    /**
     * Sets whether the scale gamma is trained; it is by default.
     *
     * @param value false to leave it as it is, 1 unless it was loaded
     * @return this builder
     */
    public T optScale(boolean value) {
      scale = value;
      return self();
    }
  }
}
