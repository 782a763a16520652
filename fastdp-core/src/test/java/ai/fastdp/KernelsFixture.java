/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDManager;
import ai.fastdp.internal.kernel.BookKeepingKernels;
import ai.fastdp.kernel.TorchScriptModule;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * The book-keeping kernels and a manager of PyTorch's for all tests of a class: a static field with
 * {@code @RegisterExtension}.
 */
public final class KernelsFixture implements BeforeAllCallback, AfterAllCallback {
  private @Nullable NDManager manager;
  private @Nullable TorchScriptModule kernels;

  @Override
  public void beforeAll(ExtensionContext context) {
    NDManager opened = NDManager.newBaseManager("PyTorch");
    manager = opened;
    kernels = BookKeepingKernels.compile(opened);
  }

  @Override
  public void afterAll(ExtensionContext context) {
    manager().close();
  }

  /** The manager, open until the last test has ended. */
  public NDManager manager() {
    return Objects.requireNonNull(manager);
  }

  /** The compiled kernels. */
  public TorchScriptModule kernels() {
    return Objects.requireNonNull(kernels);
  }
}
