/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.resnet;

import ai.djl.nn.Block;
import ai.fastdp.validation.ModelValidator;
import java.util.Locale;

/** What takes the place of a model's BatchNorm, which mixes samples. */
enum Norm {
  /** GroupNorm, with the scale and shift of the BatchNorm. */
  GROUP {
    @Override
    int apply(Block model) {
      return ModelValidator.fix(model).size();
    }
  },
  /** BatchNorm with the statistics that the weights came with; they stay as they are. */
  FROZEN_BATCHNORM {
    @Override
    int apply(Block model) {
      return ModelValidator.freezeStatistics(model).size();
    }
  };

  /** The value as it is given on the command line. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * Replaces the BatchNorms of a model.
   *
   * @return how many there were
   */
  abstract int apply(Block model);
}
