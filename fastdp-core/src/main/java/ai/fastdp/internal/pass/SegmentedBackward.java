/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.pass;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.fastdp.internal.hook.Cut;
import ai.fastdp.internal.hook.LayerRecord;
import ai.fastdp.internal.hook.Recording;
import ai.fastdp.internal.kernel.GraphKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Back-propagation of a recorded pass, from cut to cut: the last segment first, from the losses;
 * then each segment from its cut's output, with the gradient of the cut's leaf. Without cuts it is
 * one pass.
 *
 * <p>By the chain rule this is the gradient of the uncut graph, as long as no tensor is shared by
 * the graphs of two segments. Such a tensor shows as a use of a layer that a later segment reaches,
 * or as a graph that has been freed already; both are errors, see docs/adr/0017.
 */
public final class SegmentedBackward {
  private final GraphKernels kernels;
  private final NDManager manager;
  private final List<LayerRecord> records;
  private final List<Shape> outputShapes;
  private final List<Cut> cuts;
  private final List<Recording.Probe> probes;
  private final @Nullable NDArray[] seeds;
  // For each cut the last segment that reaches its leaf.
  private final int[] lastReader;

  /** Takes the output gradients of uses, the last uses of the pass first. */
  public interface Sink {
    /** Takes one use; the use's input and the gradient belong to the sink from now on. */
    void take(LayerRecord use, NDArray outputGradient);

    /** Notes that all uses from this number on have been given, or have no path to the losses. */
    void passed(int firstUse);
  }

  SegmentedBackward(TorchScriptModule kernels, NDManager manager, Recording recording) {
    this.kernels = new GraphKernels(kernels);
    this.manager = manager;
    records = recording.records();
    outputShapes = records.stream().map(use -> use.output().getShape()).toList();
    cuts = recording.cuts();
    probes = recording.probes();
    seeds = new NDArray[cuts.size()];
    lastReader = new int[cuts.size()];
    Arrays.fill(lastReader, -1);
  }

  /** Runs all segments; frees the graph and what was recorded as it goes. */
  void run(NDArray losses, Sink sink) {
    kernels.release(records.stream().map(LayerRecord::output).toList());
    int end = records.size();
    for (int segment = cuts.size(); segment >= 0; segment--) {
      int begin = segment == 0 ? 0 : cuts.get(segment - 1).uses();
      if (segment == cuts.size()) {
        propagate(segment, losses, losses.onesLike(), begin, end, sink);
      } else {
        Cut cut = cuts.get(segment);
        NDArray seed = seeds[segment];
        cut.leaf().close();
        if (seed == null) {
          drop(begin, end);
        } else {
          propagate(segment, cut.output(), seed, begin, end, sink);
          seed.close();
        }
        cut.output().close();
      }
      sink.passed(begin);
      end = begin;
    }
  }

  private void propagate(int segment, NDArray root, NDArray seed, int begin, int end, Sink sink) {
    NDList gradients = gradients(segment, root, seed, begin, end);
    long[] reached = gradients.get(gradients.size() - 1).toLongArray();
    gradients.get(gradients.size() - 1).close();
    if (reached[0] >= 0) {
      throw new BypassedCutException(pathsBetween(segmentOf((int) reached[0]), segment), null);
    }
    if (reached[1] >= 0) {
      throw otherUse(probes.get((int) reached[1]));
    }
    for (int i = begin; i < end; i++) {
      LayerRecord use = records.get(i);
      NDArray gradient = gradients.get(i - begin);
      // One without a path to the loss comes back empty; the output itself may be empty too.
      boolean reachedLoss = gradient.getShape().equals(outputShapes.get(i));
      use.output().close();
      if (reachedLoss) {
        sink.take(use, gradient);
      } else {
        closeInput(use);
      }
    }
    for (int j = 0; j < segment; j++) {
      addSeed(segment, j, gradients.get(end - begin + j));
    }
  }

  private NDList gradients(int segment, NDArray root, NDArray seed, int begin, int end) {
    List<NDArray> outputs = records.stream().map(LayerRecord::output).toList();
    List<NDArray> leaves = cuts.subList(0, segment).stream().map(Cut::leaf).toList();
    try {
      return kernels.segmentGradients(
          manager,
          root,
          seed,
          outputs.subList(begin, end),
          leaves,
          outputs.subList(0, begin),
          probes.stream().map(Recording.Probe::array).toList(),
          // The samples' own graphs are gone through once more, for their parameters.
          records.subList(begin, end).stream().anyMatch(use -> use.samples() != null));
    } catch (EngineException e) {
      if (segment == cuts.size()) {
        throw e;
      }
      // A tensor before this segment's cut was used after it, and its graph has been freed.
      int last = Arrays.stream(lastReader, 0, segment).max().orElse(-1);
      throw new BypassedCutException(
          last > segment ? pathsBetween(segment, last) : pathsBetween(0, cuts.size()), e);
    }
  }

  private void addSeed(int segment, int cut, NDArray gradient) {
    if (gradient.size() == 0) {
      gradient.close();
      return;
    }
    lastReader[cut] = Math.max(lastReader[cut], segment);
    NDArray before = seeds[cut];
    if (before == null) {
      seeds[cut] = gradient;
    } else {
      NDArray sum = before.add(gradient);
      sum.attach(manager);
      before.close();
      gradient.close();
      seeds[cut] = sum;
    }
  }

  private void drop(int begin, int end) {
    for (LayerRecord use : records.subList(begin, end)) {
      use.output().close();
      closeInput(use);
    }
  }

  private static void closeInput(LayerRecord use) {
    NDArray input = use.input();
    if (input != null) {
      input.close();
    }
  }

  /** Returns the segment in which a use was recorded. */
  private int segmentOf(int use) {
    int segment = 0;
    while (segment < cuts.size() && cuts.get(segment).uses() <= use) {
      segment++;
    }
    return segment;
  }

  /** Returns the blocks of the cuts that separate two segments. */
  private List<String> pathsBetween(int first, int last) {
    return cuts.subList(first, last).stream().map(Cut::path).distinct().toList();
  }

  private static IllegalStateException otherUse(Recording.Probe probe) {
    return new IllegalStateException(
        "table '"
            + probe.parameter().getName()
            + "' "
            + probe.parameter().getShape()
            + " of layer '"
            + probe.path()
            + "' must be used by look-ups alone, got another use; share it with a head through"
            + " ai.fastdp.nn.TiedLinear, or freeze it");
  }
}
