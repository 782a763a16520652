/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.types.Shape;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/**
 * Normalises each sample over groups of channels: the replacement of batch normalisation in private
 * training.
 *
 * <p>See {@link ChannelNorm} for the formula and the shapes; the number of groups K is chosen.
 *
 * @see <a href="https://arxiv.org/abs/1803.08494">Wu and He 2018, equations 1, 2 and 7</a>
 */
public class GroupNorm extends ChannelNorm {
  private final int groups;

  private GroupNorm(Builder builder) {
    super(builder);
    groups = builder.groups;
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
    return groups;
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
  public static final class Builder extends BaseBuilder<Builder> {
    private int groups;

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
