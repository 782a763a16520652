/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.hook;

import static net.bytebuddy.matcher.ElementMatchers.named;
import static net.bytebuddy.matcher.ElementMatchers.takesArguments;

import ai.djl.ndarray.NDList;
import ai.djl.nn.AbstractBaseBlock;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import net.bytebuddy.ByteBuddy;
import net.bytebuddy.description.modifier.Visibility;
import net.bytebuddy.dynamic.loading.ClassLoadingStrategy;
import net.bytebuddy.dynamic.scaffold.subclass.ConstructorStrategy;
import net.bytebuddy.implementation.MethodCall;
import org.objenesis.ObjenesisStd;

/**
 * Makes the twin of a block: an object of a generated subclass with the same field values, whose
 * forward function runs inside a {@link BlockHook}.
 *
 * <p>{@code AbstractBaseBlock.forward} is final, and it calls the protected {@code forwardInternal}
 * of the layer's class; the subclass overrides that. It is generated into the layer's own package,
 * so that package-private classes can be hooked, and instantiated without running a constructor.
 */
final class TwinFactory {
  private static final String HOOK_FIELD = "fastdpHook";
  private static final String INNER = "fastdpForward";
  private static final String SUFFIX = "$FastdpTwin";

  // Generated classes live as long as their loader, as the layer classes they belong to do.
  private static final Map<Class<?>, Class<?>> TWINS = new ConcurrentHashMap<>();

  private final ObjenesisStd objenesis = new ObjenesisStd();

  Block twin(String path, Block block, BlockHook hook) {
    Class<?> layer = block.getClass();
    Class<?> twinClass = TWINS.computeIfAbsent(layer, c -> generate(c, path));
    Block twin = (Block) objenesis.newInstance(twinClass);
    copyFields(block, twin, layer);
    try {
      Field field = twinClass.getField(HOOK_FIELD);
      field.set(twin, hook);
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("a generated twin of " + layer.getName() + " has no hook", e);
    }
    return twin;
  }

  /** Copies every instance field that {@code layer} and its superclasses declare. */
  static void copyFields(Object from, Object to, Class<?> layer) {
    for (Class<?> c = layer; c != null && c != Object.class; c = c.getSuperclass()) {
      for (Field field : c.getDeclaredFields()) {
        if (Modifier.isStatic(field.getModifiers())) {
          continue;
        }
        try {
          field.setAccessible(true);
          field.set(to, field.get(from));
        } catch (ReflectiveOperationException | RuntimeException e) {
          throw new IllegalStateException(
              "field '" + field.getName() + "' of " + c.getName() + " must be accessible", e);
        }
      }
    }
  }

  /** Returns whether a class can have a twin. */
  static boolean canTwin(Class<?> layer) {
    return unmetCondition(layer).isEmpty();
  }

  /** Returns the condition of a twin that a class does not meet, to follow "must". */
  static Optional<String> unmetCondition(Class<?> layer) {
    if (!AbstractBaseBlock.class.isAssignableFrom(layer)) {
      return Optional.of("extend ai.djl.nn.AbstractBaseBlock");
    }
    if (Modifier.isFinal(layer.getModifiers()) || layer.isHidden() || layer.isSealed()) {
      return Optional.of("be open to subclasses (not final, sealed or hidden)");
    }
    if (Modifier.isFinal(ForwardMethod.of(layer).getModifiers())
        || Modifier.isFinal(ForwardMethod.withLabels(layer).getModifiers())) {
      return Optional.of("leave forwardInternal open to overriding");
    }
    return Optional.empty();
  }

  private static Class<?> generate(Class<?> layer, String path) {
    unmetCondition(layer)
        .ifPresent(
            condition -> {
              throw new IllegalArgumentException(
                  "layer '"
                      + path
                      + "' must "
                      + condition
                      + " to have a twin, got "
                      + layer.getName());
            });
    Method forward = ForwardMethod.of(layer);
    Method withLabels = ForwardMethod.withLabels(layer);
    try {
      Method around = around(boolean.class);
      Method aroundLabels = around(NDList.class);
      MethodHandles.Lookup lookup = MethodHandles.privateLookupIn(layer, MethodHandles.lookup());
      Class<?> twin =
          new ByteBuddy()
              .subclass(layer, ConstructorStrategy.Default.NO_CONSTRUCTORS)
              .name(layer.getName() + SUFFIX)
              .implement(HookedBlock.class)
              .defineField(HOOK_FIELD, BlockHook.class, Visibility.PUBLIC)
              .method(named(forward.getName()).and(takesArguments(forward.getParameterTypes())))
              .intercept(
                  MethodCall.invoke(around).onField(HOOK_FIELD).withThis().withAllArguments())
              .method(named(forward.getName()).and(takesArguments(withLabels.getParameterTypes())))
              .intercept(
                  MethodCall.invoke(aroundLabels).onField(HOOK_FIELD).withThis().withAllArguments())
              .method(named(INNER).and(takesArguments(forward.getParameterTypes())))
              .intercept(MethodCall.invoke(forward).onSuper().withAllArguments())
              .method(named(INNER).and(takesArguments(withLabels.getParameterTypes())))
              .intercept(MethodCall.invoke(withLabels).onSuper().withAllArguments())
              .make()
              .load(layer.getClassLoader(), ClassLoadingStrategy.UsingLookup.of(lookup))
              .getLoaded();
      if (ForwardMethod.of(twin).getDeclaringClass() != twin) {
        throw new LinkageError(twin.getName() + " does not override forwardInternal");
      }
      return twin;
    } catch (IllegalAccessException | NoSuchMethodException | LinkageError e) {
      throw new IllegalStateException(
          "layer '" + path + "' (" + layer.getName() + ") could not be subclassed", e);
    }
  }

  /** The hook's method for one of the two forward functions, told apart by their third argument. */
  private static Method around(Class<?> third) throws NoSuchMethodException {
    return BlockHook.class.getMethod(
        "forward", HookedBlock.class, ParameterStore.class, NDList.class, third, PairList.class);
  }
}
