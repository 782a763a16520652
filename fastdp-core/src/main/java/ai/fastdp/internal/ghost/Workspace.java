/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.ghost;

import ai.djl.ndarray.NDManager;
import ai.fastdp.internal.kernel.ConvolutionKernels;
import ai.fastdp.internal.kernel.GraphKernels;
import ai.fastdp.internal.kernel.MatrixKernels;
import ai.fastdp.internal.kernel.NormalisationKernels;
import ai.fastdp.internal.kernel.VectorKernels;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.rule.Contributions;

/** The kernels of a micro-batch's gradients and the memory that they may use. */
final class Workspace {
  private final TorchScriptModule kernels;
  private final NDManager manager;
  private final long maxElements;
  // Elements that formed gradients may take beyond the arrays that they replace.
  private long keepBudget;

  Workspace(TorchScriptModule kernels, NDManager manager, long maxElements) {
    this.kernels = kernels;
    this.manager = manager;
    this.maxElements = maxElements;
    keepBudget = maxElements;
  }

  /** The workspace of the contributions that a rule was given. */
  static Workspace of(Contributions gradients) {
    return ((FactoredContributions) gradients).workspace();
  }

  GraphKernels graph() {
    return new GraphKernels(kernels);
  }

  MatrixKernels matrices() {
    return new MatrixKernels(kernels);
  }

  ConvolutionKernels convolutions() {
    return new ConvolutionKernels(kernels);
  }

  VectorKernels vectors() {
    return new VectorKernels(kernels);
  }

  NormalisationKernels normalisations() {
    return new NormalisationKernels(kernels);
  }

  /** The manager that owns all temporaries. */
  NDManager manager() {
    return manager;
  }

  /** The most elements of a temporary that tiling can keep small. */
  long maxElements() {
    return maxElements;
  }

  /** The elements that formed gradients may take; negative where more have been taken. */
  long keepBudget() {
    return keepBudget;
  }

  /** Counts formed gradients that are kept in place of other arrays. */
  void replace(long replaced, long formed) {
    keepBudget += replaced - formed;
  }
}
