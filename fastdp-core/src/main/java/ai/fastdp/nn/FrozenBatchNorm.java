/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.nn;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import ai.fastdp.internal.djl.HiddenField;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/**
 * Batch normalisation by fixed statistics, in training as in inference: a fixed map of each channel
 * followed by a scale and a shift that may be trained.
 *
 * <p>\(y_{bc\cdot} = \gamma_c \frac{x_{bc\cdot} - \mu_c}{\sqrt{\sigma^2_c + \epsilon}} + \beta_c\)
 *
 * <ul>
 *   <li>x, y: (B, C, ...), channels on axis 1
 *   <li>gamma, beta: (C), trainable; 1 and 0 at first
 *   <li>runningMean \(\mu\), runningVar \(\sigma^2\): (C), never trained and never updated
 * </ul>
 *
 * <p>DJL's {@link BatchNorm} cannot do this: in training it normalises by statistics of the batch
 * and updates its running ones from raw data, frozen or not. The statistics of this block are those
 * of earlier training, on data whose privacy this training does not protect.
 *
 * <p>Parameters have the same names, order and file format as those of {@link BatchNorm}, so that a
 * file saved from a model with one loads into the same model with the other.
 *
 * @see <a href="https://arxiv.org/abs/1502.03167">Ioffe and Szegedy 2015, algorithm 2</a>
 */
public class FrozenBatchNorm extends AbstractBlock {
  private static final HiddenField AXIS = HiddenField.of(BatchNorm.class, "axis");
  private static final HiddenField EPSILON = HiddenField.of(BatchNorm.class, "epsilon");

  // BatchNorm's, whose files these are.
  private static final byte VERSION = 2;

  private final float epsilon;
  private final Parameter gamma;
  private final Parameter beta;
  private final Parameter runningMean;
  private final Parameter runningVar;

  @SuppressWarnings("this-escape")
  private FrozenBatchNorm(Builder builder) {
    super(VERSION);
    epsilon = builder.epsilon;
    gamma = addParameter(parameter("gamma", Parameter.Type.GAMMA, builder.scale));
    beta = addParameter(parameter("beta", Parameter.Type.BETA, builder.center));
    runningMean = addParameter(parameter("runningMean", Parameter.Type.RUNNING_MEAN, false));
    runningVar = addParameter(parameter("runningVar", Parameter.Type.RUNNING_VAR, false));
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
   * A block with the weights and the statistics of a batch normalisation, copied where it has them.
   *
   * @param norm the batch normalisation, channels on axis 1
   * @return a block that computes what {@code norm} computes in inference; a parameter trains if it
   *     does in {@code norm}
   * @throws IllegalArgumentException if its channels are on another axis
   */
  public static FrozenBatchNorm of(BatchNorm norm) {
    int axis = ((Number) AXIS.require(norm)).intValue();
    if (axis != 1) {
      throw new IllegalArgumentException(
          "channels of the batch normalisation must be on axis 1, got "
              + axis
              + "; move them there");
    }
    FrozenBatchNorm frozen =
        builder()
            .optEpsilon(((Number) EPSILON.require(norm)).floatValue())
            .optScale(norm.getDirectParameters().get("gamma").requiresGradient())
            .optCenter(norm.getDirectParameters().get("beta").requiresGradient())
            .build();
    norm.getDirectParameters()
        .forEach(
            pair -> {
              if (pair.getValue().isInitialized()) {
                NDArray copy = pair.getValue().getArray().duplicate();
                Parameter own = frozen.getDirectParameters().get(pair.getKey());
                own.setArray(copy);
                copy.setRequiresGradient(own.requiresGradient());
              }
            });
    return frozen;
  }

  private static Parameter parameter(String name, Parameter.Type type, boolean trains) {
    return Parameter.builder().setName(name).setType(type).optRequiresGrad(trains).build();
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
    return new NDList(
        NormKernels.get()
            .fixedNorm(
                input,
                parameterStore.getValue(gamma, input.getDevice(), training),
                parameterStore.getValue(beta, input.getDevice(), training),
                parameterStore.getValue(runningMean, input.getDevice(), training),
                parameterStore.getValue(runningVar, input.getDevice(), training),
                epsilon));
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
    getDirectParameters().values().forEach(parameter -> parameter.setShape(channels));
  }

  /** {@inheritDoc} */
  @Override
  protected void saveMetadata(DataOutputStream os) throws IOException {
    saveInputShapes(os);
    os.writeLong(gamma.getShape().get(0));
  }

  /** {@inheritDoc} */
  @Override
  public void loadMetadata(byte loadVersion, DataInputStream is)
      throws IOException, MalformedModelException {
    super.loadMetadata(loadVersion, is);
    is.readLong();
  }

  /** Collects what makes a {@link FrozenBatchNorm}. */
  public static final class Builder extends ChannelNorm.BaseBuilder<Builder> {
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
    public FrozenBatchNorm build() {
      return new FrozenBatchNorm(this);
    }
  }
}
