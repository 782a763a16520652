/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.pytorch.jni.JniUtils;
import ai.fastdp.internal.kernel.GraphKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Tells the hooks of a model whether a forward pass is being recorded, and where it is cut.
 *
 * <p>A {@link Recording} belongs to the thread that began it; the model runs unobserved on every
 * other thread, so that inference continues while a model is being trained.
 */
public final class ForwardRecorder {
  private final TorchScriptModule kernels;
  private final Recording.Settings settings;
  private final Set<String> cutPaths = new LinkedHashSet<>();
  private volatile @Nullable Recording current;

  /**
   * Creates a recorder.
   *
   * @param kernels the module of the book-keeping kernels
   * @param needsInput tells for a layer whether its input must be kept
   * @param axes the layers' sample axes
   */
  public ForwardRecorder(TorchScriptModule kernels, Predicate<Block> needsInput, SampleAxes axes) {
    this.kernels = kernels;
    settings = new Recording.Settings(new GraphKernels(kernels), needsInput, axes);
  }

  /**
   * Begins a recording on this thread.
   *
   * @param manager owns what is recorded
   * @param batchSize the number of samples B in this pass, or of the views of them that go through
   *     the model
   * @param cutting whether the graph is cut at the outputs of {@link #cutPaths()}
   * @return the recording; close it to end it
   * @throws IllegalStateException if one is under way
   */
  public Recording begin(NDManager manager, long batchSize, boolean cutting) {
    if (current != null) {
      throw new IllegalStateException(
          "a forward pass is already being recorded; finish it before the next one");
    }
    Set<String> cuts = cutting ? Set.copyOf(cutPaths) : Set.of();
    Recording recording = new Recording(settings, manager, batchSize, cuts, () -> current = null);
    current = recording;
    return recording;
  }

  /** {@return the paths of the blocks at whose outputs recorded passes are cut} */
  public List<String> cutPaths() {
    return List.copyOf(cutPaths);
  }

  /** Cuts at the outputs of these blocks from the next pass on. */
  void cutAt(Collection<String> paths) {
    cutPaths.addAll(paths);
  }

  /**
   * Stops cutting at the outputs of these blocks, from the next pass on.
   *
   * @param paths the blocks' paths
   */
  public void dropCuts(Collection<String> paths) {
    cutPaths.removeAll(paths);
  }

  /** The recording of this thread; null if there is none. */
  @Nullable Recording current() {
    Recording recording = current;
    return recording != null && recording.isOnThisThread() ? recording : null;
  }

  /** The module of the kernels. */
  TorchScriptModule kernels() {
    return kernels;
  }

  /**
   * Checks that a training pass that is not recorded builds no graph: its gradients would be raw.
   * Passes that ask for none, such as another thread's inference, are free.
   *
   * @param path the path of a trainable layer that runs
   * @throws IllegalStateException if the pass builds a graph
   */
  static void requireNoGraph(String path) {
    if (JniUtils.isGradMode()) {
      throw new IllegalStateException(
          "layer '"
              + path
              + "' must be trained by the private trainer that is attached to its model, got a"
              + " training pass of another trainer, whose gradients would be neither clipped nor"
              + " noised; train by the private trainer alone, detach() or close() it first, or run"
              + " with training = false");
    }
  }
}
