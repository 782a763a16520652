/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** Which parameters learn from the private images; the rest stays as it is. */
enum Trainable {
  /** All of them. */
  ALL {
    @Override
    void apply(Block model) {}
  },
  /** The last layer, and the scales and shifts of the normalisations. */
  HEAD_AND_AFFINE {
    @Override
    void apply(Block model) {
      HEAD.apply(model);
      model.freezeParameters(false, parameter -> AFFINE.contains(parameter.getType()));
    }
  },
  /** The last layer. */
  HEAD {
    @Override
    void apply(Block model) {
      model.freezeParameters(true);
      ResNets.head(model).freezeParameters(false);
    }
  };

  private static final Set<Parameter.Type> AFFINE =
      EnumSet.of(Parameter.Type.GAMMA, Parameter.Type.BETA);

  /** The value as it is given on the command line. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Freezes what is not to learn. */
  abstract void apply(Block model);
}
