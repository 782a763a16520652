/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The per-sample gradients of one micro-batch, kept as the factors they are products of.
 *
 * <p>A parameter's gradient is the sum of the contributions of all its uses in the forward pass: a
 * layer that runs twice, or a parameter that two layers share, has its cross terms in the norm.
 * Three forms are kept:
 *
 * <ul>
 *   <li>linear, \(\sum_t g_t a_t^\top\) of shape (p, d), from inputs A (B, T, d) and output
 *       gradients G (B, T, p): \(\|\cdot\|^2 = \langle A A^\top, G G^\top \rangle\) where that
 *       costs less than forming the product, \(T (p + d) \le p d\);
 *   <li>rows, \(g_t\) added to row \(id_t\) of a table (V, d): the sum over equal ids; with a
 *       linear use of the same table the cross term \(2 \sum_{s,t} P_{s, id_t} \langle h_s, g_t
 *       \rangle\);
 *   <li>dense, (B, n) formed, for vectors such as biases and scales.
 * </ul>
 *
 * <p>Norms are accumulated in float64. Where the terms of a sample cancel so far that float32
 * products do not settle the norm, or lie near its range's ends, that sample's norm is computed in
 * float64 from the gradient itself.
 *
 * @see <a href="https://arxiv.org/abs/2210.00038">Bu et al. 2022, section 3</a>
 */
public final class PerSampleGradients {
  private final TorchScriptModule kernels;
  private final NDManager manager;
  private final long batchSize;
  private final long cells;
  private final IdentityHashMap<Parameter, MatrixUses> matrices = new IdentityHashMap<>();
  private final List<MatrixUses> matrixOrder = new ArrayList<>();
  private final IdentityHashMap<Parameter, ConvolutionUses> convolutions = new IdentityHashMap<>();
  private final List<ConvolutionUses> convolutionOrder = new ArrayList<>();
  private final List<Formed> given = new ArrayList<>();
  private final List<VectorUse> sums = new ArrayList<>();
  private final List<VectorUse> scales = new ArrayList<>();
  private final List<Parameter> denseOrder = new ArrayList<>();
  private @Nullable List<NDArray> dense;
  // By how many elements kept gradients may outgrow the arrays that they replace.
  private long room;

  private static final class MatrixUses {
    private final Parameter parameter;
    private final List<NDArray> inputs = new ArrayList<>();
    private final List<NDArray> outputGradients = new ArrayList<>();
    private final List<NDArray> ids = new ArrayList<>();
    private final List<NDArray> rowGradients = new ArrayList<>();

    private MatrixUses(Parameter parameter) {
      this.parameter = parameter;
    }
  }

  private record VectorUse(
      Parameter parameter, @Nullable NDArray input, NDArray outputGradient, double epsilon) {}

  /** A gradient (B, ...) that a rule has formed. */
  private record Formed(Parameter parameter, NDArray perSample) {}

  /**
   * Creates the gradients of a micro-batch, without any contribution yet.
   *
   * @param kernels the module of the book-keeping kernels
   * @param manager owns all temporaries
   * @param batchSize the number of samples B
   * @param cells an upper bound on the elements of a temporary that tiling can keep small
   */
  public PerSampleGradients(
      TorchScriptModule kernels, NDManager manager, long batchSize, long cells) {
    this.kernels = kernels;
    this.manager = manager;
    this.batchSize = batchSize;
    this.cells = cells;
    room = cells;
  }

  /** Adds a linear use of a weight (p, d): input (B, ..., d), output gradient (B, ..., p). */
  void addLinear(Parameter weight, NDArray input, NDArray outputGradient) {
    MatrixUses uses = matrix(weight);
    uses.inputs.add(positions(input, weight.getShape().get(1)));
    uses.outputGradients.add(positions(outputGradient, weight.getShape().get(0)));
  }

  /** Adds a use of a table (V, d) by rows: ids (B, ...), output gradient (B, ..., d). */
  void addRows(Parameter table, NDArray ids, NDArray outputGradient) {
    MatrixUses uses = matrix(table);
    NDArray integers = ids.toType(DataType.INT64, false).reshape(batchSize, -1);
    integers.attach(manager);
    uses.ids.add(integers);
    uses.rowGradients.add(positions(outputGradient, table.getShape().get(1)));
  }

  /** Adds the use of a vector that is added at every position: output gradient (B, ..., shape). */
  void addPositionSum(Parameter vector, NDArray outputGradient) {
    sums.add(new VectorUse(vector, null, outputGradient, 0));
  }

  /**
   * Adds a use of a convolution's weight (p, c, kernel): input (B, groups * c, ...), output
   * gradient (B, p, ...).
   */
  void addConvolution(
      Parameter weight, NDArray input, NDArray outputGradient, ConvolutionGeometry geometry) {
    ConvolutionUses uses = convolutions.get(weight);
    if (uses == null) {
      uses = new ConvolutionUses(weight);
      convolutions.put(weight, uses);
      convolutionOrder.add(uses);
    }
    uses.add(input, outputGradient, geometry);
  }

  /**
   * Adds the use of a parameter that was broadcast and added: output gradient (B, ...), summed over
   * the axes along which {@code aligned}, the shape of the parameter in the addition, is 1.
   */
  void addBroadcast(Parameter parameter, Shape aligned, NDArray outputGradient) {
    Shape output = outputGradient.getShape();
    int skipped = output.dimension() - 1 - aligned.dimension();
    int[] axes =
        IntStream.range(0, output.dimension() - 1)
            .filter(i -> i < skipped || aligned.get(i - skipped) != output.get(i + 1))
            .map(i -> i + 1)
            .toArray();
    addDense(parameter, axes.length == 0 ? outputGradient : outputGradient.sum(axes));
  }

  /** Adds a gradient that the rule has formed: (B, shape of the parameter). */
  void addDense(Parameter parameter, NDArray perSample) {
    given.add(new Formed(parameter, perSample.reshape(batchSize, parameter.getShape().size())));
  }

  /** Adds the use of a scale (C) after a normalisation of the input (B, C, ...) over groups. */
  void addGroupScale(
      Parameter scale, NDArray input, NDArray outputGradient, long groups, double epsilon) {
    addDense(
        scale,
        kernels
            .run(manager, "group_scale_gradient", input, outputGradient, groups, epsilon, cells)
            .head());
  }

  /** Adds the use of a scale after a normalisation of the input over the scale's shape. */
  void addScale(Parameter scale, NDArray input, NDArray outputGradient, double epsilon) {
    scales.add(new VectorUse(scale, input, outputGradient, epsilon));
  }

  /**
   * Adds the gradients of samples that have graphs of their own: back-propagation in each.
   *
   * @param parameters what the graphs end at
   * @param outputs for each sample its output (1, ...)
   * @param outputGradient (B, ...)
   */
  void addSamples(List<Parameter> parameters, List<NDArray> outputs, NDArray outputGradient) {
    List<NDArray> arrays = parameters.stream().map(Parameter::getArray).toList();
    NDList results = kernels.run(manager, "sample_gradients", outputs, outputGradient, arrays);
    for (int k = 0; k < results.size(); k++) {
      if (results.get(k).size() > 0) {
        addDense(parameters.get(k), results.get(k));
      }
    }
  }

  /**
   * The parameters that have contributions, in the order of {@link #squaredNorms()}'s rows.
   *
   * @return the parameters
   */
  public List<Parameter> parameters() {
    instantiate();
    List<Parameter> all = new ArrayList<>();
    matrixOrder.forEach(uses -> all.add(uses.parameter));
    convolutionOrder.forEach(uses -> all.add(uses.weight()));
    all.addAll(denseOrder);
    return all;
  }

  /**
   * Squared norms of the per-sample gradients, parameter by parameter.
   *
   * @return (K, B) float64 for the K {@link #parameters()}; NaN or infinite where a sample's
   *     gradient is not finite
   */
  public NDArray squaredNorms() {
    List<NDArray> formed = instantiate();
    NDList parts = new NDList();
    if (!matrixOrder.isEmpty()) {
      int count = matrixOrder.size();
      long[] linearUses = new long[count];
      long[] rowUses = new long[count];
      long[] rows = new long[count];
      long[] widths = new long[count];
      for (int k = 0; k < count; k++) {
        MatrixUses uses = matrixOrder.get(k);
        linearUses[k] = uses.inputs.size();
        rowUses[k] = uses.ids.size();
        rows[k] = uses.parameter.getShape().get(0);
        widths[k] = uses.parameter.getShape().get(1);
      }
      parts.addAll(
          kernels.run(
              manager,
              "matrix_sq_norms",
              ofMatrices(uses -> uses.inputs),
              ofMatrices(uses -> uses.outputGradients),
              ofMatrices(uses -> uses.ids),
              ofMatrices(uses -> uses.rowGradients),
              linearUses,
              rowUses,
              rows,
              widths,
              cells));
    }
    convolutionOrder.forEach(uses -> parts.add(convolutionNorms(uses)));
    if (!formed.isEmpty()) {
      parts.addAll(kernels.run(manager, "dense_sq_norms", formed));
    }
    return parts.size() == 1 ? parts.head() : NDArrays.concat(parts, 0);
  }

  /**
   * Adds the weighted sums of per-sample gradients, \(\sum_i c_{k,i}\, g_{k,i}\), to targets.
   *
   * @param factors (K, B) float32, in the order of {@link #parameters()}
   * @param keep (B) boolean; a sample that is false adds exactly zero whatever its gradient is
   * @param targets for each of {@link #parameters()} a float32 array of the parameter's shape
   */
  public void addWeightedSums(NDArray factors, NDArray keep, List<NDArray> targets) {
    List<NDArray> formed = instantiate();
    int count = matrixOrder.size();
    if (count > 0) {
      List<Long> linearTargets = new ArrayList<>();
      List<Long> rowTargets = new ArrayList<>();
      for (int k = 0; k < count; k++) {
        MatrixUses uses = matrixOrder.get(k);
        for (int i = 0; i < uses.inputs.size(); i++) {
          linearTargets.add((long) k);
        }
        for (int i = 0; i < uses.ids.size(); i++) {
          rowTargets.add((long) k);
        }
      }
      kernels.run(
          manager,
          "add_matrix_sums",
          ofMatrices(uses -> uses.inputs),
          ofMatrices(uses -> uses.outputGradients),
          ofMatrices(uses -> uses.ids),
          ofMatrices(uses -> uses.rowGradients),
          linearTargets.stream().mapToLong(Long::longValue).toArray(),
          rowTargets.stream().mapToLong(Long::longValue).toArray(),
          factors,
          keep,
          targets.subList(0, count));
    }
    for (ConvolutionUses uses : convolutionOrder) {
      convolutionNorms(uses);
      NDArray own = factors.get(count);
      NDArray target = targets.get(count);
      NDArray kept = uses.formed();
      if (kept != null) {
        kernels.run(
            manager, "add_dense_sums", List.of(kept), own.expandDims(0), keep, List.of(target));
      } else {
        uses.addWeightedSum(kernels, manager, own, keep, target, cells);
      }
      count++;
    }
    if (!formed.isEmpty()) {
      NDArray rest = count == 0 ? factors : factors.get(count + ":");
      kernels.run(
          manager, "add_dense_sums", formed, rest, keep, targets.subList(count, targets.size()));
    }
  }

  private NDArray convolutionNorms(ConvolutionUses uses) {
    if (!uses.isResolved()) {
      long held = uses.size();
      NDArray kept = uses.resolve(kernels, manager, held + room, cells);
      if (kept != null) {
        // What is kept takes the place of what it was made of.
        room += held - kept.size();
        uses.arrays().stream().filter(array -> !isUsedBesides(uses, array)).forEach(NDArray::close);
      }
    }
    return uses.squaredNorms();
  }

  private boolean isUsedBesides(ConvolutionUses uses, NDArray array) {
    return convolutionOrder.stream()
        .filter(other -> other != uses)
        .anyMatch(other -> other.arrays().stream().anyMatch(a -> a == array));
  }

  /** One list of every matrix parameter, put together in the order of the parameters. */
  private List<NDArray> ofMatrices(Function<MatrixUses, List<NDArray>> list) {
    return matrixOrder.stream().flatMap(uses -> list.apply(uses).stream()).toList();
  }

  private MatrixUses matrix(Parameter parameter) {
    return matrices.computeIfAbsent(
        parameter,
        p -> {
          MatrixUses uses = new MatrixUses(p);
          matrixOrder.add(uses);
          return uses;
        });
  }

  /** Views an array (B, ..., width) as (B, T, width). */
  private NDArray positions(NDArray array, long width) {
    long row = batchSize * width;
    NDArray view = array.reshape(batchSize, row == 0 ? 0 : array.size() / row, width);
    view.attach(manager);
    return view;
  }

  /** Forms the gradients of vectors, one array (B, n) for each parameter, once. */
  private List<NDArray> instantiate() {
    if (dense != null) {
      return dense;
    }
    IdentityHashMap<Parameter, NDArray> formed = new IdentityHashMap<>();
    given.forEach(gradient -> collect(gradient.parameter(), gradient.perSample(), formed));
    if (!sums.isEmpty()) {
      NDList results = kernels.run(manager, "position_sums", outputGradients(sums), widths(sums));
      collect(parameters(sums), results, formed);
    }
    if (!scales.isEmpty()) {
      List<NDArray> inputs = new ArrayList<>();
      scales.forEach(use -> inputs.add(Objects.requireNonNull(use.input())));
      double[] epsilons = scales.stream().mapToDouble(VectorUse::epsilon).toArray();
      NDList results =
          kernels.run(
              manager,
              "scale_gradients",
              inputs,
              outputGradients(scales),
              widths(scales),
              epsilons);
      collect(parameters(scales), results, formed);
    }
    List<NDArray> ordered = new ArrayList<>();
    for (Parameter parameter : denseOrder) {
      ordered.add(Objects.requireNonNull(formed.get(parameter)));
    }
    dense = ordered;
    return ordered;
  }

  private void collect(
      List<Parameter> uses, NDList results, IdentityHashMap<Parameter, NDArray> formed) {
    for (int i = 0; i < uses.size(); i++) {
      collect(uses.get(i), results.get(i), formed);
    }
  }

  private void collect(
      Parameter parameter, NDArray result, IdentityHashMap<Parameter, NDArray> formed) {
    if (matrices.containsKey(parameter) || convolutions.containsKey(parameter)) {
      throw new IllegalStateException(
          "parameter '"
              + parameter.getName()
              + "' "
              + parameter.getShape()
              + " must be used either as a matrix or as a vector, got both; use two parameters");
    }
    NDArray before = formed.get(parameter);
    if (before == null) {
      denseOrder.add(parameter);
      formed.put(parameter, result);
    } else {
      formed.put(parameter, before.add(result));
    }
  }

  private static List<Parameter> parameters(List<VectorUse> uses) {
    return uses.stream().map(VectorUse::parameter).toList();
  }

  private static List<NDArray> outputGradients(List<VectorUse> uses) {
    List<NDArray> arrays = new ArrayList<>();
    uses.forEach(use -> arrays.add(use.outputGradient()));
    return arrays;
  }

  private static long[] widths(List<VectorUse> uses) {
    return uses.stream().map(use -> use.parameter().getShape()).mapToLong(Shape::size).toArray();
  }
}
