/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.kernel.TorchScriptModule;

/**
 * The kernels on a step's sum, one flat array ({@code sums.torchscript}).
 *
 * @param module the book-keeping kernels
 */
public record SumKernels(TorchScriptModule module) {
  /**
   * Views a flat array as consecutive parts.
   *
   * @param manager owns the views
   * @param flat the array
   * @param sizes the parts' numbers of elements
   * @return the parts
   */
  public NDList split(NDManager manager, NDArray flat, long[] sizes) {
    return module.run(manager, "split", flat, sizes);
  }

  /**
   * Sets an array to zero.
   *
   * @param array the array
   */
  public void clear(NDArray array) {
    module.execute("clear", array);
  }

  /**
   * Adds an array to another.
   *
   * @param target the array to add to, of any floating-point type
   * @param part the array to add
   */
  public void add(NDArray target, NDArray part) {
    module.execute("add_sum", target, part);
  }

  /**
   * Copies an array's values into another.
   *
   * @param target the array to write to
   * @param source the values
   */
  public void copyInto(NDArray target, NDArray source) {
    module.execute("copy_into", target, source);
  }

  /**
   * Multiplies an array by a number.
   *
   * @param flat the array
   * @param scale the number
   */
  public void scale(NDArray flat, double scale) {
    module.execute("scale_sum", flat, scale);
  }

  /**
   * Scales a part of a sum and adds noise to it.
   *
   * @param flat the sum
   * @param offset the part's first element
   * @param noise standard normal values, one for each element of the part
   * @param deviation the factor of the noise
   * @param scale the factor of the sum
   * @param block the number of elements to work on at a time
   */
  public void addNoise(
      NDArray flat, long offset, NDArray noise, double deviation, double scale, long block) {
    module.execute("add_noise", flat, offset, noise, deviation, scale, block);
  }

  /**
   * Scales a sum and adds noise that the device draws.
   *
   * @param flat the sum
   * @param seed the seed of the device's generator
   * @param deviation the factor of the noise
   * @param scale the factor of the sum
   * @param block the number of elements to work on at a time
   */
  public void addDeviceNoise(NDArray flat, long seed, double deviation, double scale, long block) {
    module.execute("add_device_noise", flat, seed, deviation, scale, block);
  }

  /**
   * Reads a part of a sum.
   *
   * @param manager owns the result
   * @param flat the sum
   * @param offset the part's first element
   * @param count the number of elements
   * @return a view of the part
   */
  public NDArray part(NDManager manager, NDArray flat, long offset, long count) {
    return module.run(manager, "read_part", flat, offset, count).head();
  }

  /**
   * Overwrites a part of a sum.
   *
   * @param flat the sum
   * @param offset the part's first element
   * @param values the new values
   */
  public void writePart(NDArray flat, long offset, NDArray values) {
    module.execute("write_part", flat, offset, values);
  }
}
