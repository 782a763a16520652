/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** ND4J is optional: what a program sees that does not have it. */
class WithoutNd4jTest {

  /** Runs inside of the class loader without ND4J. */
  public static final class Uses {

    private Uses() {}

    /** Toeplitz matrices need plain arrays only. */
    public static double toeplitz() {
      ToeplitzWorkload workload = Workload.prefixSum(20);
      ToeplitzStrategy strategy =
          StrategyOptimizer.toeplitz(workload, 4, ErrorMeasure.MEAN_SQUARED);
      Sensitivity sensitivity = strategy.sensitivity(new Participation.MinSeparation(4, 4));
      return WorkloadError.of(workload, strategy).underUnitSensitivity(sensitivity).meanSquared();
    }

    public static Sensitivity banded() {
      return Strategies.random(20, 4, 1).sensitivity(Participation.single());
    }
  }

  @Test
  void toeplitz_works() throws Exception {
    try (URLClassLoader loader = withoutNd4j()) {
      assertThat(invoke(loader, "toeplitz")).isEqualTo(Uses.toeplitz());
    }
  }

  @Test
  void banded_saysWhatIsMissing() throws Exception {
    try (URLClassLoader loader = withoutNd4j()) {
      assertThatThrownBy(() -> invoke(loader, "banded"))
          .isInstanceOf(InvocationTargetException.class)
          .cause()
          .isInstanceOf(IllegalStateException.class)
          .hasMessageStartingWith("org.nd4j:nd4j-native must be on the class path")
          .hasMessageEndingWith("add the dependency, with the classifier of the platform");
    }
  }

  private static Object invoke(ClassLoader loader, String method) throws Exception {
    return loader.loadClass(Uses.class.getName()).getMethod(method).invoke(null);
  }

  private static URLClassLoader withoutNd4j() throws Exception {
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    List<URL> urls = new ArrayList<>();
    for (String entry : classPath.split(File.pathSeparator, -1)) {
      if (!entry.contains("nd4j-")) {
        urls.add(new File(entry).toURI().toURL());
      }
    }
    assertThat(urls).hasSizeGreaterThan(5);
    return new URLClassLoader(urls.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
  }
}
