/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.LinearCollection;
import ai.fastdp.rule.Contributions;
import ai.fastdp.rule.ConvolutionGeometry;
import ai.fastdp.rule.LayerUse;
import java.util.List;

/**
 * {@link LinearCollection}: weight (s, d, p) of as many linear maps as s has elements, from inputs
 * (B, s, d) and output gradients (B, s, p); bias (s, p) from the latter.
 *
 * <p>The gradient of each map is \(a g^\top\): that of a convolution in groups, one for each map,
 * over a single position, from p channels to d.
 */
final class LinearCollectionRule implements LayerRule {
  @Override
  public List<Class<? extends Block>> forwards() {
    return List.of(LinearCollection.class);
  }

  @Override
  public boolean needsInput(Block layer) {
    return GhostRules.trainable(layer, "weight").isPresent();
  }

  @Override
  public void contribute(LayerUse use, NDArray outputGradient, Contributions gradients) {
    GhostRules.trainable(use.block(), "weight")
        .ifPresent(weight -> addMaps(weight, use.requireInput(), outputGradient, gradients));
    GhostRules.trainable(use.block(), "bias")
        .ifPresent(bias -> gradients.addBroadcast(bias, bias.getShape(), outputGradient));
  }

  private static void addMaps(
      Parameter weight, NDArray input, NDArray outputGradient, Contributions gradients) {
    int last = weight.getShape().dimension() - 1;
    long outputs = weight.getShape().get(last);
    long inputs = weight.getShape().get(last - 1);
    long maps = weight.getShape().size() / (inputs * outputs);
    long samples = input.getShape().get(0);
    Shape one = new Shape(1);
    gradients.addConvolution(
        weight,
        new Shape(maps * inputs, outputs, 1),
        outputGradient.reshape(samples, maps * outputs, 1),
        input.reshape(samples, maps * inputs, 1),
        new ConvolutionGeometry(one, new Shape(0), one, Math.toIntExact(maps)));
  }
}
