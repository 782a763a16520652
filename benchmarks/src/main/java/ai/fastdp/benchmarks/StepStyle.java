/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import ai.fastdp.clipping.ClippingStyle;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The clipping style of the private modes. */
enum StepStyle {
  /** One group. */
  ALL_LAYER {
    @Override
    ClippingStyle of(int blocks) {
      return ClippingStyle.allLayer();
    }
  },
  /** A group for each layer. */
  LAYER_WISE {
    @Override
    ClippingStyle of(int blocks) {
      return ClippingStyle.layerWise();
    }
  },
  /** A group for each parameter. */
  PARAM_WISE {
    @Override
    ClippingStyle of(int blocks) {
      return ClippingStyle.paramWise();
    }
  },
  /** Groups of equal depth. */
  BLOCK_WISE {
    @Override
    ClippingStyle of(int blocks) {
      return ClippingStyle.blockWise(blocks);
    }
  };

  /** The style, with this number of groups where it has one. */
  abstract ClippingStyle of(int blocks);

  /** The name on the command line. */
  String option() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Reads names such as layer-wise. */
  static final class Converter implements ITypeConverter<StepStyle> {
    @Override
    public StepStyle convert(String value) {
      return Arrays.stream(values())
          .filter(style -> style.option().equals(value))
          .findFirst()
          .orElseThrow(
              () ->
                  new TypeConversionException(
                      "must be one of "
                          + String.join(", ", new Names())
                          + ", got '"
                          + value
                          + "'"));
    }
  }

  /** The names on the command line. */
  static final class Names implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Arrays.stream(values()).map(StepStyle::option).iterator();
    }
  }
}
