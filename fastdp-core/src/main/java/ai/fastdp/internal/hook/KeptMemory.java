/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import static net.bytebuddy.matcher.ElementMatchers.named;
import static net.bytebuddy.matcher.ElementMatchers.takesArguments;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDManager;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import net.bytebuddy.ByteBuddy;
import net.bytebuddy.description.modifier.Visibility;
import net.bytebuddy.dynamic.loading.ClassLoadingStrategy;
import net.bytebuddy.dynamic.scaffold.subclass.ConstructorStrategy;
import net.bytebuddy.implementation.MethodCall;
import net.bytebuddy.implementation.SuperMethodCall;
import org.objenesis.ObjenesisStd;
import org.objenesis.instantiator.ObjectInstantiator;

/**
 * Keeps the Java memory behind arrays for as long as a graph may need it.
 *
 * <p>DJL backs an array that is made from Java values, such as the 2 of {@code x.mul(2)}, by a
 * direct buffer that PyTorch reads in place. Only the array's handle refers to the buffer: once it
 * is closed, the garbage collector may free memory that the graph still reads in the backward pass.
 * The managers that this class makes, and all their sub-managers, keep the buffers of every array
 * made under them until this object is unreachable.
 */
public final class KeptMemory {
  private static final String FIELD = "fastdpKept";
  private static final Constructor<PtNDManager> CONSTRUCTOR = constructor();
  private static final Class<?> MANAGER = generate();
  // Made once, since every pass makes managers.
  private static final ObjectInstantiator<?> INSTANCES =
      new ObjenesisStd().getInstantiatorOf(MANAGER);

  private static final SmallBuffers SMALL = new SmallBuffers();

  private final Queue<Buffer> buffers = new ConcurrentLinkedQueue<>();

  /**
   * Makes a manager whose arrays' memory is kept.
   *
   * @param parent a manager of the PyTorch engine
   * @return a sub-manager on the parent's device; keep this object reachable until the graph is
   *     done
   */
  public NDManager newSubManager(NDManager parent) {
    return newSubManager((PtNDManager) parent, parent.getDevice());
  }

  /**
   * Makes a manager in place of the one that {@code parent} would make. Called by generated
   * managers.
   *
   * @param parent the parent
   * @param device the sub-manager's device
   * @return the sub-manager
   */
  public PtNDManager newSubManager(PtNDManager parent, Device device) {
    PtNDManager manager = (PtNDManager) INSTANCES.newInstance();
    try {
      TwinFactory.copyFields(CONSTRUCTOR.newInstance(parent, device), manager, PtNDManager.class);
      MANAGER.getField(FIELD).set(manager, this);
    } catch (ReflectiveOperationException e) {
      throw changed(e);
    }
    parent.attachUncappedInternal(manager.getName(), manager);
    return manager;
  }

  /**
   * Keeps a buffer. Called by generated managers.
   *
   * @param data the buffer behind an array
   */
  public void keep(Buffer data) {
    if (data.isDirect()) {
      buffers.add(data);
    }
  }

  /**
   * Allocates a buffer and keeps it. Called by generated managers.
   *
   * @param capacity the size in bytes
   * @return the buffer
   */
  public ByteBuffer allocate(int capacity) {
    ByteBuffer buffer = SMALL.allocate(capacity);
    buffers.add(buffer);
    return buffer;
  }

  private static Class<?> generate() {
    try {
      Method keep = KeptMemory.class.getMethod("keep", Buffer.class);
      Method allocate = KeptMemory.class.getMethod("allocate", int.class);
      Method newSubManager =
          KeptMemory.class.getMethod("newSubManager", PtNDManager.class, Device.class);
      return new ByteBuddy()
          .subclass(PtNDManager.class, ConstructorStrategy.Default.NO_CONSTRUCTORS)
          .name(PtNDManager.class.getName() + "$FastdpKept")
          .defineField(FIELD, KeptMemory.class, Visibility.PUBLIC)
          .method(named("create").and(takesArguments(Buffer.class, Shape.class, DataType.class)))
          .intercept(
              MethodCall.invoke(keep)
                  .onField(FIELD)
                  .withArgument(0)
                  .andThen(SuperMethodCall.INSTANCE))
          .method(named("allocateDirect").and(takesArguments(int.class)))
          .intercept(MethodCall.invoke(allocate).onField(FIELD).withAllArguments())
          .method(named("newSubManager").and(takesArguments(Device.class)))
          .intercept(MethodCall.invoke(newSubManager).onField(FIELD).withThis().withAllArguments())
          .make()
          .load(
              PtNDManager.class.getClassLoader(),
              ClassLoadingStrategy.UsingLookup.of(
                  MethodHandles.privateLookupIn(PtNDManager.class, MethodHandles.lookup())))
          .getLoaded();
    } catch (ReflectiveOperationException e) {
      throw changed(e);
    }
  }

  private static Constructor<PtNDManager> constructor() {
    try {
      Constructor<PtNDManager> constructor =
          PtNDManager.class.getDeclaredConstructor(NDManager.class, Device.class);
      constructor.setAccessible(true);
      return constructor;
    } catch (NoSuchMethodException e) {
      throw changed(e);
    }
  }

  private static LinkageError changed(ReflectiveOperationException cause) {
    return new LinkageError("this version of DJL keeps its managers differently", cause);
  }
}
