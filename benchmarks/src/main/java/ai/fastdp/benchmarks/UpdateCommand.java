/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.optimizer.Optimizer;
import ai.fastdp.examples.gpt2.Gpt2;
import ai.fastdp.examples.gpt2.Gpt2Config;
import ai.fastdp.internal.kernel.BookKeepingKernels;
import ai.fastdp.kernel.NativeAllocator;
import ai.fastdp.kernel.TorchScriptModule;
import ai.fastdp.mechanism.ClippedGradientSum;
import ai.fastdp.mechanism.GaussianMechanism;
import ai.fastdp.mechanism.NoiseSource;
import ai.fastdp.mechanism.PrivatizedGradient;
import ai.fastdp.optimizer.DpOptimizer;
import com.google.gson.GsonBuilder;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Times the update of all parameters of a GPT-2: by fastdp's optimizer, by PyTorch's fused kernel
 * alone, and by DJL's optimizer parameter by parameter. The three take turns on the same weights
 * and the same privatized gradient.
 */
@Command(
    name = "update",
    mixinStandardHelpOptions = true,
    description = "Times the update phase against PyTorch's fused kernels and DJL's optimizers.")
final class UpdateCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(names = "--layers", defaultValue = "12")
  private int layers;

  @Option(names = "--width", defaultValue = "768")
  private int width;

  @Option(names = "--heads", defaultValue = "12")
  private int heads;

  @Option(names = "--context", defaultValue = "1024")
  private int context;

  @Option(names = "--vocab", defaultValue = "50257")
  private int vocabulary;

  @Option(
      names = "--rules",
      split = ",",
      description = "${COMPLETION-CANDIDATES}; all of them by default")
  private List<UpdateRule> rules = Arrays.asList(UpdateRule.values());

  @Option(names = "--rounds", defaultValue = "15", description = "timed updates of each")
  private int rounds;

  @Option(names = "--warmup", defaultValue = "3", description = "untimed updates of each")
  private int warmup;

  @Option(names = "--threads", defaultValue = "1", description = "PyTorch's threads")
  private int threads;

  @Option(names = "--json", description = "print JSON")
  private boolean json;

  @Override
  public Integer call() {
    NativeAllocator.keepFreedMemory();
    try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
      JniUtils.setNumThreads(threads);
      Block model = new Gpt2(Gpt2Config.of(vocabulary, context, width, layers, heads));
      model.initialize(manager, DataType.FLOAT32, new Shape(1, context));
      List<Parameter> parameters = model.getParameters().values().stream().distinct().toList();
      TorchScriptModule kernels = BookKeepingKernels.compile(manager);
      TorchScriptModule fused =
          TorchScriptModule.compileResource(
              manager, "Fused", UpdateCommand.class, "fused.torchscript");
      try (ClippedGradientSum sum = new ClippedGradientSum(kernels, manager, parameters);
          GaussianMechanism mechanism =
              new GaussianMechanism(kernels, manager, NoiseSource.secure(), 1000, 0)) {
        List<Double> noise = new ArrayList<>();
        PrivatizedGradient gradient = mechanism.privatize(sum, 1, 1);
        for (int round = 0; round < rounds; round++) {
          long begin = System.nanoTime();
          gradient = mechanism.privatize(sum, 1, 1);
          noise.add((System.nanoTime() - begin) / 1e6);
        }
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("parameters", parameters.size());
        report.put("values", parameters.stream().mapToLong(p -> p.getShape().size()).sum());
        report.put("threads", JniUtils.getNumThreads());
        report.put("noiseMillis", median(noise));
        for (UpdateRule rule : rules) {
          report.put(rule.name().toLowerCase(Locale.ROOT), time(rule, manager, fused, gradient));
        }
        print(report);
      }
    }
    return 0;
  }

  private Map<String, Object> time(
      UpdateRule rule, NDManager parent, TorchScriptModule fused, PrivatizedGradient gradient) {
    List<Parameter> parameters = gradient.parameters();
    List<NDArray> weights = parameters.stream().map(Parameter::getArray).toList();
    Map<String, Runnable> contenders = new LinkedHashMap<>();
    Map<String, List<Double>> millis = new LinkedHashMap<>();
    Optimizer djl = rule.djl();
    try (NDManager manager = parent.newSubManager();
        DpOptimizer fastdp = rule.fastdp()) {
      contenders.put("fastdp", () -> fastdp.update(gradient));
      Object[] arguments = new Object[3 + rule.stateArrays()];
      arguments[0] = weights;
      arguments[1] = gradient.gradients();
      arguments[2] = Collections.nCopies(weights.size(), manager.create(5f));
      for (int k = 3; k < arguments.length; k++) {
        List<NDArray> zeros = new ArrayList<>();
        weights.forEach(w -> zeros.add(manager.zeros(w.getShape())));
        arguments[k] = zeros;
      }
      contenders.put("fused", () -> fused.run(manager, rule.kernel(), arguments));
      if (djl != null) {
        contenders.put(
            "djl",
            () -> {
              for (int k = 0; k < weights.size(); k++) {
                djl.update(parameters.get(k).getId(), weights.get(k), gradient.gradients().get(k));
              }
            });
      }
      for (int round = -warmup; round < rounds; round++) {
        for (Map.Entry<String, Runnable> contender : contenders.entrySet()) {
          long begin = System.nanoTime();
          contender.getValue().run();
          double elapsed = (System.nanoTime() - begin) / 1e6;
          if (round >= 0) {
            millis.computeIfAbsent(contender.getKey(), name -> new ArrayList<>()).add(elapsed);
          }
        }
      }
    }
    Map<String, Object> result = new LinkedHashMap<>();
    Map<String, Double> medians = new LinkedHashMap<>();
    millis.forEach((name, all) -> medians.put(name, median(all)));
    medians.forEach((name, median) -> result.put(name + "Millis", median));
    result.put("fusedKernel", rule.kernel());
    medians.forEach(
        (name, median) -> {
          if (!name.equals("fused")) {
            result.put(name + "ToFused", median / medians.getOrDefault("fused", Double.NaN));
          }
        });
    return result;
  }

  private static double median(List<Double> values) {
    List<Double> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }

  private void print(Map<String, Object> report) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(new GsonBuilder().setPrettyPrinting().create().toJson(report));
    } else {
      report.forEach((name, value) -> out.println(name + ": " + value));
    }
    out.flush();
  }
}
