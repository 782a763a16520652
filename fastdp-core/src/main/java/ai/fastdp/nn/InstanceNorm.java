/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import ai.djl.ndarray.types.Shape;

/**
 * Normalises each channel of each sample over its positions.
 *
 * <p>See {@link ChannelNorm} for the formula and the shapes; every channel is a group, K = C.
 *
 * @see <a href="https://arxiv.org/abs/1607.08022">Ulyanov et al. 2016, section 2</a>
 */
public class InstanceNorm extends ChannelNorm {
  private InstanceNorm(Builder builder) {
    super(builder);
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
  public long groups(long channels) {
    return channels;
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalArgumentException if channels have no positions, or only one, to normalise over
   */
  @Override
  protected void beforeInitialize(Shape... inputShapes) {
    super.beforeInitialize(inputShapes);
    Shape input = inputShapes[0];
    if (input.dimension() < 3 || input.slice(2).size() == 1) {
      throw new IllegalArgumentException(
          "input must be (B, C, ...) with several positions for each channel, got shape "
              + input
              + "; a single one would always become 0");
    }
  }

  /** Collects what makes an {@link InstanceNorm}. */
  public static final class Builder extends BaseBuilder<Builder> {
    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /**
     * Makes the block.
     *
     * @return the block
     */
    public InstanceNorm build() {
      return new InstanceNorm(this);
    }
  }
}
