/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.ghost;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.fastdp.hook.SampleAxis;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The per-sample gradients of one micro-batch, kept as the factors they are products of.
 *
 * <p>A {@link GhostRule} adds contributions, one for each use of a parameter in the forward pass. A
 * parameter's gradient is the sum of its contributions: a layer that runs twice, or a parameter
 * that two layers share, has its cross terms in the norm. Four forms are kept, and a parameter has
 * one of them:
 *
 * <ul>
 *   <li>linear, \(\sum_t g_t a_t^\top\) of shape (p, d), from inputs A (B, T, d) and output
 *       gradients G (B, T, p): \(\|\cdot\|^2 = \langle A A^\top, G G^\top \rangle\) where that
 *       costs less than forming the product, \(T (p + d) \le p d\), and the product otherwise;
 *   <li>rows, \(g_t\) added to row \(id_t\) of a table (V, d): the sum over equal ids; with a
 *       linear use of the same table the cross term \(2 \sum_{s,t} P_{s, id_t} \langle h_s, g_t
 *       \rangle\);
 *   <li>convolution, from inputs (B, C, ...) and output gradients (B, p, ...): as linear, on the
 *       patches that the kernel sees, or formed and kept;
 *   <li>dense, (B, n) formed, for vectors such as biases and scales.
 * </ul>
 *
 * <p>Norms are accumulated in float64. What is added is what the norm was taken of: rows of a table
 * are summed sample by sample first, and gradients that were formed for their norms are added as
 * they were formed. Norms by Gram matrices belong to one product over all samples; where the terms
 * of a sample cancel so far that float32 products do not settle its norm or its part of the sum, or
 * lie near float32's ends, that sample's gradient is formed in float64 for both. See docs/adr/0032.
 *
 * @see <a href="https://arxiv.org/abs/2210.00038">Bu et al. 2022, section 3</a>
 */
public final class PerSampleGradients {
  private final TorchScriptModule kernels;
  private final NDManager manager;
  private final long batchSize;
  private final long views;
  private final long cells;
  private final double lossScale;
  private final IdentityHashMap<Parameter, MatrixUses> matrices = new IdentityHashMap<>();
  private final List<MatrixUses> matrixOrder = new ArrayList<>();
  private final IdentityHashMap<Parameter, ConvolutionUses> convolutions = new IdentityHashMap<>();
  private final List<ConvolutionUses> convolutionOrder = new ArrayList<>();
  private final List<Formed> given = new ArrayList<>();
  private final List<VectorUse> sums = new ArrayList<>();
  private final List<VectorUse> scales = new ArrayList<>();
  private final List<Parameter> denseOrder = new ArrayList<>();
  private final IdentityHashMap<Parameter, NDArray> vectors = new IdentityHashMap<>();
  private @Nullable List<NDArray> dense;
  private @Nullable NDList matrixNorms;
  // What views of are kept for products of matrices.
  private final Set<NDArray> viewed = Collections.newSetFromMap(new IdentityHashMap<>());
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
    this(kernels, manager, batchSize, 1, cells, 1);
  }

  /**
   * Creates the gradients of a micro-batch of which each sample is several views: whatever has the
   * samples on its first axis may have B V rows there in place of B, a sample's views next to each
   * other. They are summed over like positions.
   *
   * @param kernels the module of the book-keeping kernels
   * @param manager owns all temporaries
   * @param batchSize the number of samples B
   * @param views the number of views V of each
   * @param cells an upper bound on the elements of a temporary that tiling can keep small
   * @param lossScale by what the losses were multiplied before they were propagated, a power of
   *     two: norms and sums are divided by it
   */
  public PerSampleGradients(
      TorchScriptModule kernels,
      NDManager manager,
      long batchSize,
      long views,
      long cells,
      double lossScale) {
    this.kernels = kernels;
    this.lossScale = lossScale;
    this.views = views;
    this.manager = manager;
    this.batchSize = batchSize;
    this.cells = cells;
    room = cells;
  }

  /** An array (B V, ...) as (B, V, ...); itself where a sample is its only view. */
  private NDArray bySample(NDArray array) {
    if (views == 1 || array.getShape().get(0) != batchSize * views) {
      return array;
    }
    NDArray view = array.reshape(new Shape(batchSize, views).addAll(array.getShape().slice(1)));
    view.attach(manager);
    return view;
  }

  /**
   * Adds a linear use of a weight, \(\sum_t g_t a_t^\top\).
   *
   * @param weight (p, d)
   * @param input (B, ..., d)
   * @param outputGradient (B, ..., p)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addLinear(Parameter weight, NDArray input, NDArray outputGradient) {
    requireRank(weight, 2);
    NDArray a = positions(weight, "input", bySample(input), weight.getShape().get(1));
    NDArray g =
        positions(weight, "output gradient", bySample(outputGradient), weight.getShape().get(0));
    if (a.getShape().get(1) != g.getShape().get(1)) {
      throw misfit(weight, "as many positions of input and output gradient", input, outputGradient);
    }
    MatrixUses uses = matrix(weight);
    uses.inputs.add(a);
    uses.outputGradients.add(g);
  }

  /**
   * Adds a use of a table by rows: \(g_t\) is added to row \(id_t\).
   *
   * @param table (V, d)
   * @param ids (B, ...), numbers of rows
   * @param outputGradient (B, ..., d)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addRows(Parameter table, NDArray ids, NDArray outputGradient) {
    requireRank(table, 2);
    NDArray g =
        positions(table, "output gradient", bySample(outputGradient), table.getShape().get(1));
    if (ids.size() != batchSize * g.getShape().get(1)) {
      throw misfit(table, "one id for each row of the output gradient", ids, outputGradient);
    }
    MatrixUses uses = matrix(table);
    NDArray integers = ids.toType(DataType.INT64, false).reshape(batchSize, -1);
    integers.attach(manager);
    uses.ids.add(integers);
    uses.rowGradients.add(g);
  }

  /**
   * Adds the use of a parameter that was added at every position, over its last axes.
   *
   * @param vector any shape
   * @param outputGradient (B, ..., shape of the parameter)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addPositionSum(Parameter vector, NDArray outputGradient) {
    NDArray gradient = bySample(outputGradient);
    requireWhole(vector, "output gradient", gradient, vector.getShape().size());
    sums.add(new VectorUse(vector, null, gradient, 0));
  }

  /**
   * Adds the use of a parameter that was added by broadcasting: the output gradient, summed over
   * the axes along which the parameter was repeated. Axes are aligned from the last; a first axis
   * of 1 for the samples may be part of the parameter's shape.
   *
   * @param parameter any shape that broadcasts to the output gradient's
   * @param outputGradient (B, ...)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addBroadcast(Parameter parameter, NDArray outputGradient) {
    Shape shape = parameter.getShape();
    boolean withSamples =
        shape.dimension() == outputGradient.getShape().dimension() && shape.get(0) == 1;
    addBroadcast(parameter, withSamples ? shape.slice(1) : shape, outputGradient);
  }

  /**
   * Adds the use of a parameter that was added by broadcasting, in another shape.
   *
   * @param parameter the parameter
   * @param aligned its shape in the addition, without an axis for the samples: (C, 1, 1) for a
   *     vector beside images (B, C, H, W)
   * @param outputGradient (B, ...)
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addBroadcast(Parameter parameter, Shape aligned, NDArray outputGradient) {
    Shape output = outputGradient.getShape();
    int skipped = output.dimension() - 1 - aligned.dimension();
    boolean fits = skipped >= 0 && aligned.size() == parameter.getShape().size();
    for (int i = 0; fits && i < aligned.dimension(); i++) {
      fits = aligned.get(i) == 1 || aligned.get(i) == output.get(i + 1 + skipped);
    }
    if (!fits) {
      throw new IllegalArgumentException(
          describe(parameter)
              + " must broadcast to the output gradient "
              + text(outputGradient)
              + ", got it as "
              + aligned
              + "; correct the layer's rule");
    }
    int[] axes =
        IntStream.range(0, output.dimension() - 1)
            .filter(i -> i < skipped || aligned.get(i - skipped) != output.get(i + 1))
            .map(i -> i + 1)
            .toArray();
    NDArray wide = inFloat32(outputGradient);
    addDense(parameter, axes.length == 0 ? wide : wide.sum(axes));
  }

  /**
   * Adds per-sample gradients that the rule has formed.
   *
   * @param parameter any shape
   * @param perSample (B, shape of the parameter), float32
   * @throws IllegalArgumentException if the shapes do not fit, or the type is not float32
   */
  public void addDense(Parameter parameter, NDArray perSample) {
    if (perSample.getDataType() != DataType.FLOAT32) {
      throw new IllegalArgumentException(
          "per-sample gradient of "
              + describe(parameter)
              + " must be float32, got "
              + perSample.getDataType()
              + "; form it from float32 inputs and output gradients");
    }
    NDArray summed = bySample(perSample);
    if (summed != perSample) {
      summed = summed.sum(new int[] {1});
    }
    if (summed.size() != batchSize * parameter.getShape().size()
        || summed.getShape().get(0) != batchSize) {
      throw new IllegalArgumentException(
          "per-sample gradient of "
              + describe(parameter)
              + " must have the shape of the parameter behind the samples (B), got "
              + text(perSample)
              + "; correct the layer's rule");
    }
    NDArray rows = summed.reshape(batchSize, parameter.getShape().size());
    rows.attach(manager);
    given.add(new Formed(parameter, rows));
  }

  /**
   * Adds a use of a convolution's weight, in any number of dimensions.
   *
   * @param weight (p, c, kernel), where c are the channels of one group
   * @param input (B, groups * c, ...)
   * @param outputGradient (B, p, ...)
   * @param geometry how the weight moved over the input; padding is by zeros
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addConvolution(
      Parameter weight, NDArray input, NDArray outputGradient, ConvolutionGeometry geometry) {
    addConvolution(weight, weight.getShape(), input, outputGradient, geometry);
  }

  /** Adds a use of a parameter as the weight of a convolution, in the shape that has it so. */
  void addConvolution(
      Parameter weight,
      Shape shape,
      NDArray input,
      NDArray outputGradient,
      ConvolutionGeometry geometry) {
    NDArray inputs = bySample(inFloat32(input));
    NDArray gradients = bySample(inFloat32(outputGradient));
    if (input.getShape().get(0) != inputs.getShape().get(0)) {
      // A kernel is used once for each view of all samples.
      for (long v = 0; v < views; v++) {
        NDIndex view = new NDIndex().addAllDim().addIndices(v);
        addConvolution(weight, shape, inputs.get(view), gradients.get(view), geometry);
      }
      return;
    }
    if (!geometry.fits(shape, inputs.getShape(), gradients.getShape())
        || input.getShape().get(0) != batchSize) {
      throw misfit(weight, "a convolution with " + geometry, input, outputGradient);
    }
    ConvolutionUses uses = convolutions.get(weight);
    if (uses == null) {
      uses = new ConvolutionUses(weight, shape);
      convolutions.put(weight, uses);
      convolutionOrder.add(uses);
    }
    uses.add(inputs, gradients, geometry);
  }

  /**
   * Adds the use of a scale after a layer normalisation over the last axes, {@link
   * ai.djl.nn.norm.LayerNorm}'s.
   *
   * @param scale any shape
   * @param input (B, ..., shape of the scale), not normalised
   * @param outputGradient of the same shape
   * @param epsilon what is added to the variance
   * @throws IllegalArgumentException if the shapes do not fit
   */
  public void addScale(Parameter scale, NDArray input, NDArray outputGradient, double epsilon) {
    NDArray gradient = bySample(outputGradient);
    requireWhole(scale, "output gradient", gradient, scale.getShape().size());
    if (input.size() != outputGradient.size()) {
      throw misfit(scale, "input and output gradient of one shape", input, outputGradient);
    }
    scales.add(new VectorUse(scale, bySample(input), gradient, epsilon));
  }

  /** Adds the use of a scale (C) after a normalisation of the input (B, C, ...) over groups. */
  void addGroupScale(
      Parameter scale, NDArray input, NDArray outputGradient, long groups, double epsilon) {
    addDense(
        scale,
        form(
            "group_scale_gradient",
            inFloat32(input),
            inFloat32(outputGradient),
            groups,
            epsilon,
            cells));
  }

  /** Adds the use of a scale (C) after a normalisation of (B, C, ...) by fixed statistics (C). */
  void addFixedScale(
      Parameter scale,
      NDArray input,
      NDArray outputGradient,
      NDArray mean,
      NDArray variance,
      double epsilon) {
    addDense(
        scale,
        form(
            "fixed_scale_gradient",
            inFloat32(input),
            inFloat32(outputGradient),
            inFloat32(mean.toDevice(outputGradient.getDevice(), false)),
            inFloat32(variance.toDevice(outputGradient.getDevice(), false)),
            epsilon,
            cells));
  }

  /** Adds the use of a scale (d) after a division of (B, ..., d) by the root mean square. */
  void addRootMeanSquareScale(
      Parameter scale, NDArray input, NDArray outputGradient, double epsilon) {
    addDense(
        scale,
        form("rms_scale_gradient", inFloat32(input), inFloat32(outputGradient), epsilon, cells));
  }

  /** The array in float32, where nothing is computed in half width any more. */
  private NDArray inFloat32(NDArray array) {
    if (array.getDataType() == DataType.FLOAT32) {
      return array;
    }
    NDArray wide = array.toType(DataType.FLOAT32, false);
    wide.attach(manager);
    return wide;
  }

  private NDArray form(String kernel, Object... arguments) {
    return kernels.run(manager, kernel, arguments).head();
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
   * Takes what can be taken of the contributions so far, so that the arrays that they were made of
   * can be let go of: gradients of vectors, and norms of convolutions, whose gradients may be kept.
   *
   * @param complete whether all uses of a parameter have been added
   */
  public void settle(Predicate<Parameter> complete) {
    formVectors();
    convolutionOrder.stream()
        .filter(uses -> complete.test(uses.weight()))
        .forEach(this::convolutionNorms);
  }

  /**
   * The arrays given to this object that are still needed, by identity.
   *
   * @return the arrays
   */
  public Set<NDArray> neededArrays() {
    Set<NDArray> needed = Collections.newSetFromMap(new IdentityHashMap<>());
    needed.addAll(viewed);
    for (ConvolutionUses uses : convolutionOrder) {
      if (!uses.isFormed()) {
        needed.addAll(uses.arrays());
      }
    }
    given.forEach(gradient -> needed.add(gradient.perSample()));
    needed.addAll(outputGradients(sums));
    needed.addAll(outputGradients(scales));
    scales.forEach(use -> needed.add(Objects.requireNonNull(use.input())));
    needed.addAll(vectors.values());
    return needed;
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
      parts.add(matrixNorms().head());
    }
    convolutionOrder.forEach(uses -> parts.add(convolutionNorms(uses)));
    if (!formed.isEmpty()) {
      parts.addAll(kernels.run(manager, "dense_sq_norms", formed));
    }
    NDArray squares = parts.size() == 1 ? parts.head() : NDArrays.concat(parts, 0);
    // A power of two: exact in float64.
    return lossScale == 1 ? squares : squares.div(lossScale * lossScale);
  }

  /**
   * Adds the weighted sums of per-sample gradients, \(\sum_i c_{k,i}\, g_{k,i}\), to targets.
   *
   * @param factors (K, B) float32, in the order of {@link #parameters()}
   * @param keep (B) boolean; a sample that is false adds exactly zero whatever its gradient is
   * @param targets for each of {@link #parameters()} a float32 array of the parameter's shape
   */
  public void addWeightedSums(NDArray factors, NDArray keep, List<NDArray> targets) {
    addScaledSums(lossScale == 1 ? factors : unscaled(factors), keep, targets);
  }

  /** Divides by the scale: exact, but that what would leave float32's normal range becomes zero. */
  private NDArray unscaled(NDArray factors) {
    NDArray divided = factors.div((float) lossScale);
    return NDArrays.where(divided.gte(Float.MIN_NORMAL), divided, divided.zerosLike());
  }

  private void addScaledSums(NDArray factors, NDArray keep, List<NDArray> targets) {
    List<NDArray> formed = instantiate();
    int count = matrixOrder.size();
    if (count > 0) {
      kernels.run(
          manager,
          "add_matrix_sums",
          ofMatrices(uses -> uses.inputs),
          ofMatrices(uses -> uses.outputGradients),
          ofMatrices(uses -> uses.ids),
          ofMatrices(uses -> uses.rowGradients),
          ofEachMatrix(uses -> uses.inputs.size()),
          ofEachMatrix(uses -> uses.ids.size()),
          matrixNorms(),
          factors.get(":" + count),
          keep,
          targets.subList(0, count),
          cells);
    }
    for (ConvolutionUses uses : convolutionOrder) {
      convolutionNorms(uses);
      NDArray own = factors.get(count);
      NDArray target = targets.get(count);
      uses.addWeightedSum(kernels, manager, own, keep, target, cells);
      count++;
    }
    if (!formed.isEmpty()) {
      NDArray rest = count == 0 ? factors : factors.get(count + ":");
      kernels.run(
          manager, "add_dense_sums", formed, rest, keep, targets.subList(count, targets.size()));
    }
  }

  /** Squared norms of the matrices' gradients, and what their sums are made of, once. */
  private NDList matrixNorms() {
    if (matrixNorms == null) {
      matrixNorms =
          kernels.run(
              manager,
              "matrix_sq_norms",
              ofMatrices(uses -> uses.inputs),
              ofMatrices(uses -> uses.outputGradients),
              ofMatrices(uses -> uses.ids),
              ofMatrices(uses -> uses.rowGradients),
              ofEachMatrix(uses -> uses.inputs.size()),
              ofEachMatrix(uses -> uses.ids.size()),
              ofEachMatrix(uses -> uses.parameter.getShape().get(0)),
              ofEachMatrix(uses -> uses.parameter.getShape().get(1)),
              Math.max(0, room),
              cells);
    }
    return matrixNorms;
  }

  private long[] ofEachMatrix(ToLongFunction<MatrixUses> number) {
    return matrixOrder.stream().mapToLong(number).toArray();
  }

  private NDArray convolutionNorms(ConvolutionUses uses) {
    if (!uses.isResolved()) {
      long held = uses.size();
      uses.resolve(kernels, manager, held + room, cells);
      if (uses.isFormed()) {
        // What is kept takes the place of what it was made of.
        room += held - uses.formedSize();
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
  private NDArray positions(Parameter parameter, String what, NDArray array, long width) {
    requireWhole(parameter, what, array, width);
    viewed.add(array);
    long row = batchSize * width;
    NDArray view = array.reshape(batchSize, row == 0 ? 0 : array.size() / row, width);
    view.attach(manager);
    return view;
  }

  private void requireWhole(Parameter parameter, String what, NDArray array, long width) {
    long row = batchSize * width;
    boolean whole = row == 0 ? array.size() == 0 : array.size() % row == 0;
    if (array.getShape().get(0) != batchSize || !whole) {
      throw new IllegalArgumentException(
          what
              + " of "
              + describe(parameter)
              + " must have the samples (B) and, last, "
              + width
              + " elements, got "
              + SampleAxis.FIRST.describe(array.getShape(), batchSize)
              + "; correct the layer's rule");
    }
  }

  private static void requireRank(Parameter parameter, int rank) {
    if (parameter.getShape().dimension() != rank) {
      throw new IllegalArgumentException(
          describe(parameter)
              + " must have "
              + rank
              + " axes for this use, got "
              + parameter.getShape().dimension()
              + "; correct the layer's rule");
    }
  }

  private IllegalArgumentException misfit(
      Parameter parameter, String condition, NDArray input, NDArray outputGradient) {
    return new IllegalArgumentException(
        "use of "
            + describe(parameter)
            + " must be "
            + condition
            + ", got input "
            + text(input)
            + " and output gradient "
            + text(outputGradient)
            + "; correct the layer's rule");
  }

  /** The shape of an array that a rule gave, with all views of the samples on the first axis. */
  private String text(NDArray array) {
    return SampleAxis.FIRST.describe(array.getShape(), batchSize * views);
  }

  private static String describe(Parameter parameter) {
    return "parameter '" + parameter.getName() + "' " + parameter.getShape();
  }

  /** Forms the gradients of vectors, one array (B, n) for each parameter, once. */
  private List<NDArray> instantiate() {
    if (dense != null) {
      return dense;
    }
    for (ConvolutionUses uses : convolutionOrder) {
      if (matrices.containsKey(uses.weight())) {
        throw twoForms(uses.weight());
      }
    }
    formVectors();
    List<NDArray> ordered = new ArrayList<>();
    for (Parameter parameter : denseOrder) {
      if (matrices.containsKey(parameter) || convolutions.containsKey(parameter)) {
        throw twoForms(parameter);
      }
      ordered.add(Objects.requireNonNull(vectors.get(parameter)));
    }
    dense = ordered;
    return ordered;
  }

  /** Forms the gradients of the vectors' uses so far. */
  private void formVectors() {
    given.forEach(gradient -> collect(gradient.parameter(), gradient.perSample()));
    given.clear();
    if (!sums.isEmpty()) {
      NDList results = kernels.run(manager, "position_sums", outputGradients(sums), widths(sums));
      collect(parameters(sums), results);
      sums.clear();
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
      collect(parameters(scales), results);
      scales.clear();
    }
  }

  private void collect(List<Parameter> uses, NDList results) {
    for (int i = 0; i < uses.size(); i++) {
      collect(uses.get(i), results.get(i));
    }
  }

  private static IllegalStateException twoForms(Parameter parameter) {
    return new IllegalStateException(
        describe(parameter)
            + " must be used in one form, got two of matrix, convolution and dense; use two"
            + " parameters");
  }

  private void collect(Parameter parameter, NDArray result) {
    NDArray before = vectors.get(parameter);
    if (before == null) {
      denseOrder.add(parameter);
      vectors.put(parameter, result);
    } else {
      vectors.put(parameter, before.add(result));
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
