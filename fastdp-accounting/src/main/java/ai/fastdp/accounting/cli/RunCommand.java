/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import ai.fastdp.accounting.accountant.PrivacyAccountant;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** A command about a run. */
abstract class RunCommand implements Runnable {

  @Mixin private RunOptions run = new RunOptions();

  @Spec private @Nullable CommandSpec spec;

  final RunOptions options() {
    return run;
  }

  final PrintWriter out() {
    return Objects.requireNonNull(spec).commandLine().getOut();
  }

  /** The accountant after the run. */
  final PrivacyAccountant after(AccountantKind kind, double noiseMultiplier, long steps) {
    PrivacyAccountant made = kind.create(run.relation());
    made.compose(run.step(noiseMultiplier), steps);
    return made;
  }

  /** The accountant and the options about the run as the first entries of a result. */
  final Map<String, Object> describe(AccountantKind kind) {
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("accountant", kind.create(run.relation()).name());
    result.putAll(run.describe());
    return result;
  }

  final void print(Map<String, Object> result) {
    Report.print(out(), run.isJson(), result);
  }
}
