/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.types.Shape;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.math.BigInteger;

/**
 * Normalises each sample over groups of channels: the replacement of batch normalisation in private
 * training.
 *
 * <p>See {@link ChannelNorm} for the formula and the shapes; the number of groups K is chosen.
 *
 * @see <a href="https://arxiv.org/abs/1803.08494">Wu and He 2018, equations 1, 2 and 7</a>
 */
public class GroupNorm extends ChannelNorm {
  // The number of groups, or the number whose greatest common divisor with the channels it is.
  private final int groups;
  private final boolean common;

  private GroupNorm(Builder builder) {
    super(builder);
    groups = builder.groups;
    common = builder.common;
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
    return common
        ? BigInteger.valueOf(groups).gcd(BigInteger.valueOf(channels)).longValueExact()
        : groups;
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalArgumentException if the channels on axis 1 cannot be divided into the groups,
   *     or a group is a single number, which is normalised to zero
   */
  @Override
  protected void beforeInitialize(Shape... inputShapes) {
    super.beforeInitialize(inputShapes);
    Shape input = inputShapes[0];
    if (input.dimension() < 2 || input.get(1) % groups(input.get(1)) != 0) {
      throw new IllegalArgumentException(
          "input must have channels on axis 1 that "
              + groups
              + " groups divide, got shape "
              + input
              + "; choose another number of groups");
    }
    long own = groups(input.get(1));
    if (input.get(1) == own && input.slice(2).size() == 1) {
      throw new IllegalArgumentException(
          "input must have more than one number in each of "
              + own
              + " groups, got shape "
              + input
              + "; choose fewer groups, or LayerNorm");
    }
  }

  /** {@inheritDoc} */
  @Override
  protected void saveMetadata(DataOutputStream os) throws IOException {
    saveInputShapes(os);
    os.writeInt(Math.toIntExact(groups(getDirectParameters().valueAt(0).getShape().get(0))));
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
    if (common ? groups % saved != 0 : saved != groups) {
      throw new MalformedModelException(
          "groups must be as in the file, got " + groups + " where the file has " + saved);
    }
  }

  /** Collects what makes a {@link GroupNorm}. */
  public static final class Builder extends BaseBuilder<Builder> {
    private int groups;
    private boolean common;

    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /**
     * Sets the number of groups; it must divide the number of channels.
     *
     * @param value K, at least 1
     * @return this builder
     */
    public Builder setGroups(int value) {
      groups = value;
      common = false;
      return this;
    }

    /**
     * Sets the number of groups to the greatest common divisor of a number and the number of
     * channels, for a block that is made before its channels are known.
     *
     * @param value the largest number of groups, at least 1
     * @return this builder
     */
    public Builder setCommonGroups(int value) {
      groups = value;
      common = true;
      return this;
    }

    /**
     * Makes the block.
     *
     * @return the block
     * @throws IllegalArgumentException if groups is not set to a positive number
     */
    public GroupNorm build() {
      if (groups < 1) {
        throw new IllegalArgumentException(
            "groups must be >= 1, got " + groups + "; call setGroups");
      }
      return new GroupNorm(this);
    }
  }
}
