/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.kernel;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A TorchScript module without parameters, written as text and compiled by PyTorch at start-up.
 *
 * <p>DJL's Java API exposes a part of PyTorch's operators; TorchScript exposes all of them. The
 * text of the methods uses TorchScript's serialised dialect (a subset of Python in which operators
 * are spelled {@code torch.name}); the archive around it is assembled in memory, so that no native
 * library is built or shipped and the same text serves CPU and GPU. A method that takes lists of
 * arrays does a whole phase of a training step in one crossing of the JNI boundary.
 *
 * <p>A module holds no state and may be called from several threads.
 */
public final class TorchScriptModule implements AutoCloseable {
  private final PtSymbolBlock block;
  private final NDManager manager;
  // DJL takes the name of a method from the name of an array, whatever is in it.
  private final Map<String, NDArray> methods = new ConcurrentHashMap<>();

  private TorchScriptModule(PtSymbolBlock block, NDManager manager) {
    this.block = block;
    this.manager = manager;
  }

  /**
   * Compiles a module.
   *
   * @param manager a manager of the PyTorch engine; the module is released with it
   * @param className the name of the TorchScript class, a plain identifier
   * @param methods the text of the methods, each indented by two spaces, first parameter {@code
   *     self: __torch__.className}
   * @return the module
   * @throws IllegalArgumentException if the manager belongs to another engine
   * @throws ai.djl.engine.EngineException if the text does not compile
   */
  public static TorchScriptModule compile(NDManager manager, String className, String methods) {
    Engine engine = manager.getEngine();
    if (!(manager instanceof PtNDManager pytorch)) {
      throw new IllegalArgumentException(
          "manager must belong to the PyTorch engine, got "
              + engine.getEngineName()
              + "; put ai.djl.pytorch:pytorch-engine on the class path and make it the default");
    }
    byte[] archive = TorchScriptArchive.of(className, methods);
    try (InputStream in = new ByteArrayInputStream(archive)) {
      return new TorchScriptModule(JniUtils.loadModule(pytorch, in, true, false), manager);
    } catch (IOException e) {
      throw new UncheckedIOException("reading a TorchScript archive from memory failed", e);
    }
  }

  /**
   * Compiles a module from text resources, one after the other.
   *
   * @param manager a manager of the PyTorch engine; the module is released with it
   * @param className the name of the TorchScript class
   * @param owner the class beside which the resources lie
   * @param resources the resources' names relative to {@code owner}
   * @return the module
   */
  public static TorchScriptModule compileResource(
      NDManager manager, String className, Class<?> owner, String... resources) {
    StringBuilder methods = new StringBuilder();
    for (String resource : resources) {
      methods.append(text(owner, resource)).append('\n');
    }
    return compile(manager, className, methods.toString());
  }

  private static String text(Class<?> owner, String resource) {
    try (InputStream in = owner.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IllegalArgumentException(
            "resource must exist beside " + owner.getName() + ", got '" + resource + "'");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("reading '" + resource + "' failed", e);
    }
  }

  /**
   * Runs a method without recording a graph.
   *
   * @param manager the manager that owns the results
   * @param method the method's name
   * @param arguments in order: {@link NDArray} for {@code Tensor}, {@code List<NDArray>} (or {@link
   *     NDList}) for {@code List[Tensor]}, {@code Integer} or {@code Long} for {@code int}, {@code
   *     Double} for {@code float}, {@code Boolean} for {@code bool}, {@code long[]} and {@code
   *     double[]} for their lists
   * @return the arrays of the result: one for a tensor, all for a list or tuple of tensors, none
   *     for {@code None}
   */
  public NDList run(NDManager manager, String method, Object... arguments) {
    try (IValue result = call(method, arguments)) {
      PtNDManager owner = (PtNDManager) manager;
      if (result.isTensor()) {
        return new NDList(result.toTensor(owner));
      }
      if (result.isTensorList() || result.isTuple() || result.isList()) {
        return result.toNDList(owner);
      }
      return new NDList();
    }
  }

  /**
   * Runs a method that returns nothing, without recording a graph.
   *
   * @param method the method's name
   * @param arguments as in {@link #run}
   */
  public void execute(String method, Object... arguments) {
    call(method, arguments).close();
  }

  /**
   * Runs a method that returns {@code List[int]}, without recording a graph.
   *
   * @param method the method's name
   * @param arguments as in {@link #run}
   * @return the numbers
   */
  public long[] runToLongs(String method, Object... arguments) {
    try (IValue result = call(method, arguments)) {
      return result.toLongArray();
    }
  }

  /**
   * Runs a method of tensor parameters under the current gradient mode, so that its result can be
   * differentiated.
   *
   * @param method the method's name
   * @param arguments the tensors, in order; results belong to the manager of the first
   * @return the arrays of the result
   */
  public NDList runDifferentiable(String method, NDArray... arguments) {
    NDList inputs = new NDList(arguments.length + 1);
    String[] names = new String[arguments.length];
    for (int i = 0; i < arguments.length; i++) {
      names[i] = arguments[i].getName();
      // DJL reads a meaning into some names, so that these calls pass none.
      arguments[i].setName(null);
      inputs.add(arguments[i]);
    }
    inputs.add(methods.computeIfAbsent(method, this::nameOf));
    try {
      return IValueUtils.forward(block, inputs, true);
    } finally {
      // Backwards, so that an array passed twice gets its first name back last.
      for (int i = arguments.length - 1; i >= 0; i--) {
        arguments[i].setName(names[i]);
      }
    }
  }

  private NDArray nameOf(String method) {
    NDArray name = manager.create(0);
    name.setName("module_method:" + method);
    return name;
  }

  @Override
  public void close() {
    methods.values().forEach(NDArray::close);
    block.close();
  }

  private IValue call(String method, Object... arguments) {
    IValue[] values = new IValue[arguments.length];
    try {
      for (int i = 0; i < arguments.length; i++) {
        values[i] = value(arguments[i]);
      }
      return IValueUtils.runMethod(block, method, values);
    } finally {
      for (IValue value : values) {
        if (value != null) {
          value.close();
        }
      }
    }
  }

  private static IValue value(Object argument) {
    if (argument instanceof PtNDArray array) {
      return IValue.from(array);
    } else if (argument instanceof List<?> list) {
      PtNDArray[] arrays = new PtNDArray[list.size()];
      for (int i = 0; i < arrays.length; i++) {
        arrays[i] = (PtNDArray) list.get(i);
      }
      return IValue.listFrom(arrays);
    } else if (argument instanceof Integer number) {
      return IValue.from(number.longValue());
    } else if (argument instanceof Long number) {
      return IValue.from(number.longValue());
    } else if (argument instanceof Double number) {
      return IValue.from(number.doubleValue());
    } else if (argument instanceof Boolean flag) {
      return IValue.from(flag.booleanValue());
    } else if (argument instanceof long[] numbers) {
      return IValue.listFrom(numbers);
    } else if (argument instanceof double[] numbers) {
      return IValue.listFrom(numbers);
    }
    throw new IllegalArgumentException(
        "argument must be an NDArray, a list of them, a number or a boolean, got "
            + argument.getClass().getName());
  }
}
