/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.rule.Contributions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * Gradients that are formed, (B, n) for a parameter of n elements: biases, scales, and whatever a
 * rule forms.
 *
 * <p>Sums over positions and scales of layer normalisations wait for one kernel call for all of
 * them.
 */
final class VectorGradients implements GradientForm {
  private final Workspace workspace;
  private final UseShapes shapes;
  private final List<Formed> given = new ArrayList<>();
  private final List<PositionSum> sums = new ArrayList<>();
  private final List<Scale> scales = new ArrayList<>();
  private final Map<Parameter, NDArray> gradients = new LinkedHashMap<>();

  /** A gradient (B, n) that a rule has formed. */
  private record Formed(Parameter parameter, NDArray perSample) {}

  private record PositionSum(Parameter parameter, NDArray outputGradient) {}

  private record Scale(
      Parameter parameter, NDArray input, NDArray outputGradient, double epsilon) {}

  VectorGradients(Workspace workspace, UseShapes shapes) {
    this.workspace = workspace;
    this.shapes = shapes;
  }

  /** Adds a sum over positions; see {@link Contributions#addPositionSum}. */
  void addPositionSum(Parameter vector, NDArray outputGradient) {
    NDArray gradient = shapes.bySample(outputGradient);
    shapes.requireWhole(vector, "output gradient", gradient, vector.getShape().size());
    sums.add(new PositionSum(vector, gradient));
  }

  /** Adds the use of a scale; see {@link Contributions#addScale}. */
  void addScale(Parameter scale, NDArray input, NDArray outputGradient, double epsilon) {
    NDArray gradient = shapes.bySample(outputGradient);
    shapes.requireWhole(scale, "output gradient", gradient, scale.getShape().size());
    if (input.size() != outputGradient.size()) {
      throw shapes.misfit(scale, "input and output gradient of one shape", input, outputGradient);
    }
    scales.add(new Scale(scale, shapes.bySample(input), gradient, epsilon));
  }

  /** Adds a sum over the axes of a broadcast; see {@link Contributions#addBroadcast}. */
  void addBroadcast(Parameter parameter, Shape aligned, NDArray outputGradient) {
    Shape output = outputGradient.getShape();
    int skipped = output.dimension() - 1 - aligned.dimension();
    boolean fits = skipped >= 0 && aligned.size() == parameter.getShape().size();
    for (int i = 0; fits && i < aligned.dimension(); i++) {
      fits = aligned.get(i) == 1 || aligned.get(i) == output.get(i + 1 + skipped);
    }
    if (!fits) {
      throw new IllegalArgumentException(
          UseShapes.describe(parameter)
              + " must broadcast to the output gradient "
              + shapes.text(outputGradient)
              + ", got it as "
              + aligned
              + "; correct the layer's rule");
    }
    int[] axes =
        IntStream.range(0, output.dimension() - 1)
            .filter(i -> i < skipped || aligned.get(i - skipped) != output.get(i + 1))
            .map(i -> i + 1)
            .toArray();
    NDArray gradient = shapes.inFloat32(outputGradient);
    addDense(parameter, axes.length == 0 ? gradient : gradient.sum(axes));
  }

  /** Adds formed gradients; see {@link Contributions#addDense}. */
  void addDense(Parameter parameter, NDArray perSample) {
    if (perSample.getDataType() != DataType.FLOAT32) {
      throw new IllegalArgumentException(
          "per-sample gradient of "
              + UseShapes.describe(parameter)
              + " must be float32, got "
              + perSample.getDataType()
              + "; form it from float32 inputs and output gradients");
    }
    NDArray summed = shapes.bySample(perSample);
    if (summed != perSample) {
      summed = summed.sum(new int[] {1});
    }
    long size = parameter.getShape().size();
    if (summed.size() != shapes.batchSize() * size
        || summed.getShape().get(0) != shapes.batchSize()) {
      throw new IllegalArgumentException(
          "per-sample gradient of "
              + UseShapes.describe(parameter)
              + " must have the shape of the parameter behind the samples (B), got "
              + shapes.text(perSample)
              + "; correct the layer's rule");
    }
    given.add(new Formed(parameter, shapes.owned(summed.reshape(shapes.batchSize(), size))));
  }

  @Override
  public String name() {
    return "dense";
  }

  @Override
  public List<Parameter> parameters() {
    form();
    return List.copyOf(gradients.keySet());
  }

  @Override
  public void settle(Predicate<Parameter> complete) {
    form();
  }

  @Override
  public void addNeededArrays(Set<NDArray> needed) {
    given.forEach(formed -> needed.add(formed.perSample()));
    sums.forEach(sum -> needed.add(sum.outputGradient()));
    for (Scale scale : scales) {
      needed.add(scale.input());
      needed.add(scale.outputGradient());
    }
    needed.addAll(gradients.values());
  }

  @Override
  public NDArray squaredNorms() {
    return workspace.vectors().squaredNorms(workspace.manager(), formed());
  }

  @Override
  public void addWeightedSums(NDArray factors, NDArray keep, List<NDArray> targets) {
    workspace.vectors().addWeightedSums(formed(), factors, keep, targets);
  }

  private List<NDArray> formed() {
    form();
    return List.copyOf(gradients.values());
  }

  /** Forms the gradients of the uses so far. */
  private void form() {
    given.forEach(formed -> add(formed.parameter(), formed.perSample()));
    given.clear();
    formPositionSums();
    formScales();
  }

  private void formPositionSums() {
    if (sums.isEmpty()) {
      return;
    }
    NDList results =
        workspace
            .vectors()
            .positionSums(
                workspace.manager(),
                sums.stream().map(PositionSum::outputGradient).toList(),
                sums.stream().mapToLong(sum -> sum.parameter().getShape().size()).toArray());
    for (int i = 0; i < results.size(); i++) {
      add(sums.get(i).parameter(), results.get(i));
    }
    sums.clear();
  }

  private void formScales() {
    if (scales.isEmpty()) {
      return;
    }
    NDList results =
        workspace
            .vectors()
            .scaleGradients(
                workspace.manager(),
                scales.stream().map(Scale::input).toList(),
                scales.stream().map(Scale::outputGradient).toList(),
                scales.stream().mapToLong(scale -> scale.parameter().getShape().size()).toArray(),
                scales.stream().mapToDouble(Scale::epsilon).toArray());
    for (int i = 0; i < results.size(); i++) {
      add(scales.get(i).parameter(), results.get(i));
    }
    scales.clear();
  }

  private void add(Parameter parameter, NDArray gradient) {
    gradients.merge(parameter, gradient, NDArray::add);
  }
}
