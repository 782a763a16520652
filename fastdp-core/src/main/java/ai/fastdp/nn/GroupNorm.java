/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/**
 * Normalises each sample over groups of channels.
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
 * compute the same, and a sample's gradient does not depend on its batch: the replacement of batch
 * normalisation in private training.
 *
 * @see <a href="https://arxiv.org/abs/1803.08494">Wu and He 2018, equations 1, 2 and 7</a>
 */
public class GroupNorm extends AbstractBlock {
  private static final byte VERSION = 1;

  private final int groups;
  private final float epsilon;
  private final Parameter gamma;
  private final Parameter beta;

  @SuppressWarnings("this-escape")
  private GroupNorm(Builder builder) {
    super(VERSION);
    groups = builder.groups;
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
   * Starts a block.
   *
   * @return a builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * The number of groups of channels.
   *
   * @return K
   */
  public int groups() {
    return groups;
  }

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
    return new NDList(NormKernels.get().groupNorm(input, scale, shift, groups, epsilon));
  }

  /** {@inheritDoc} */
  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return new Shape[] {inputShapes[0]};
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalArgumentException if the channels on axis 1 cannot be divided into the groups
   */
  @Override
  protected void beforeInitialize(Shape... inputShapes) {
    super.beforeInitialize(inputShapes);
    Shape input = inputShapes[0];
    if (input.dimension() < 2 || input.get(1) % groups != 0) {
      throw new IllegalArgumentException(
          "input must have channels on axis 1 that "
              + groups
              + " groups divide, got shape "
              + input
              + "; choose another number of groups");
    }
  }

  /** {@inheritDoc} */
  @Override
  protected void prepare(Shape[] inputShapes) {
    Shape channels = new Shape(inputShapes[0].get(1));
    gamma.setShape(channels);
    beta.setShape(channels);
  }

  /** {@inheritDoc} */
  @Override
  protected void saveMetadata(DataOutputStream os) throws IOException {
    saveInputShapes(os);
    os.writeInt(groups);
  }

  /**
   * {@inheritDoc}
   *
   * @throws MalformedModelException if the file is of another version or number of groups
   */
  @Override
  public void loadMetadata(byte loadVersion, DataInputStream is)
      throws IOException, MalformedModelException {
    super.loadMetadata(loadVersion, is);
    int saved = is.readInt();
    if (saved != groups) {
      throw new MalformedModelException(
          "groups must be as in the file, got " + groups + " where the file has " + saved);
    }
  }

  /** Collects what makes a {@link GroupNorm}. */
  public static final class Builder {
    private int groups;
    private float epsilon = 1e-5f;
    private boolean center = true;
    private boolean scale = true;

    private Builder() {}

    /**
     * Sets the number of groups; it must divide the number of channels.
     *
     * @param value K, at least 1
     * @return this builder
     */
    public Builder setGroups(int value) {
      groups = value;
      return this;
    }

    /**
     * Sets what is added to the variance; 1e-5 by default.
     *
     * @param value epsilon, > 0
     * @return this builder
     */
    public Builder optEpsilon(float value) {
      epsilon = value;
      return this;
    }

    /**
     * Sets whether the shift beta is trained; it is by default.
     *
     * @param value false to leave it at 0
     * @return this builder
     */
    public Builder optCenter(boolean value) {
      center = value;
      return this;
    }

    /**
     * Sets whether the scale gamma is trained; it is by default.
     *
     * @param value false to leave it at 1
     * @return this builder
     */
    public Builder optScale(boolean value) {
      scale = value;
      return this;
    }

    /**
     * Makes the block.
     *
     * @return the block
     * @throws IllegalArgumentException if groups is not set, or a number is out of range
     */
    public GroupNorm build() {
      if (groups < 1) {
        throw new IllegalArgumentException(
            "groups must be >= 1, got " + groups + "; call setGroups");
      }
      if (!(epsilon > 0) || Float.isInfinite(epsilon)) {
        throw new IllegalArgumentException("epsilon must be finite and > 0, got " + epsilon);
      }
      return new GroupNorm(this);
    }
  }
}
