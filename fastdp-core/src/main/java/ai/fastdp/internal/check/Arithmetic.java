/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.fastdp.internal.kernel.FloatType;
import ai.fastdp.internal.pass.BookKeeper;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/**
 * The floating-point type in which a model is tried out: its own, or float64, in which rounding
 * cannot be mistaken for an influence.
 *
 * @param isWide whether it is float64
 * @param parameters the parameters in that type
 */
record Arithmetic(boolean isWide, BookKeeper.Parameters parameters) {
  /** The types of the model and its data. */
  static final Arithmetic OWN = new Arithmetic(false, BookKeeper.Parameters.OWN);

  /** Float64, with copies of the parameters that belong to a manager. */
  static Arithmetic wide(NDManager manager) {
    IdentityHashMap<Parameter, NDArray> copies = new IdentityHashMap<>();
    return new Arithmetic(
        true,
        new BookKeeper.Parameters(
            parameter -> copies.computeIfAbsent(parameter, p -> widened(p.getArray(), manager)),
            false));
  }

  /**
   * A type with trained parameters that the graph leads to: the model's own, or copies where they
   * are moved or in float64.
   *
   * @param moved by how much they are moved at random, relative to their size
   */
  static Arithmetic inGraph(NDManager manager, boolean wide, double moved, Set<Parameter> trained) {
    if (!wide && moved == 0) {
      return new Arithmetic(false, new BookKeeper.Parameters(Parameter::getArray, true));
    }
    return (wide ? wide(manager) : OWN).moved(manager, moved, trained);
  }

  /** The same with parameters that are moved at random, relative to their size, in the graph. */
  Arithmetic moved(NDManager manager, double size, Set<Parameter> trained) {
    IdentityHashMap<Parameter, NDArray> copies = new IdentityHashMap<>();
    return new Arithmetic(
        isWide,
        new BookKeeper.Parameters(
            parameter ->
                copies.computeIfAbsent(
                    parameter,
                    p -> {
                      NDArray from = parameters.values().apply(p);
                      return trained.contains(p) ? moved(from, manager, size) : from;
                    }),
            true));
  }

  private static NDArray moved(NDArray array, NDManager manager, double size) {
    // Closed here: it belongs to the manager of the array, which outlives the check.
    NDArray alias = array.stopGradient();
    NDArray copy = alias.duplicate();
    copy.attach(manager);
    alias.close();
    if (size > 0) {
      float[] factors = new float[Math.toIntExact(array.size())];
      ThreadLocalRandom chance = ThreadLocalRandom.current();
      for (int i = 0; i < factors.length; i++) {
        factors[i] = (float) (size * (2 * chance.nextDouble() - 1));
      }
      NDArray relative =
          manager
              .create(factors, array.getShape())
              .toDevice(array.getDevice(), false)
              .toType(array.getDataType(), false);
      copy.addi(copy.mul(relative));
    }
    copy.setName(array.getName());
    copy.setRequiresGradient(true);
    return copy;
  }

  private static NDArray widened(NDArray array, NDManager manager) {
    NDArray alias = array.stopGradient();
    if (!FloatType.isFloat(array)) {
      alias.attach(manager);
      return alias;
    }
    NDArray wide = alias.toType(DataType.FLOAT64, true);
    wide.attach(manager);
    wide.setName(array.getName());
    alias.close();
    return wide;
  }

  /** A list of arrays in this type; arrays of whole numbers stay as they are. */
  NDList of(NDList list, NDManager manager) {
    if (!isWide) {
      return list;
    }
    NDList wide = new NDList();
    list.forEach(array -> wide.add(widened(array, manager)));
    for (int i = 0; i < wide.size(); i++) {
      wide.get(i).setName(list.get(i).getName());
    }
    return wide;
  }
}
