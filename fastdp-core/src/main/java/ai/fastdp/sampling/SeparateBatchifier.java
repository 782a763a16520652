/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDList;
import ai.djl.translate.Batchifier;
import ai.djl.translate.StackBatchifier;
import java.util.List;

/** Has a batchifier of the user's make a batch of each sample alone, and joins these. */
final class SeparateBatchifier implements Batchifier {
  private static final long serialVersionUID = 1;

  private final Batchifier own;
  private final String what;
  private final int axis;
  private final transient SampleBySample separate;

  private SeparateBatchifier(Batchifier own, String what, int axis, SampleBySample separate) {
    this.own = own;
    this.what = what;
    this.axis = axis;
    this.separate = separate;
  }

  /**
   * A batchifier whose rows depend on their own samples alone.
   *
   * @param own the data set's
   * @param what what it makes batches of, in errors
   * @param axis the axis on which it puts the samples
   * @return the batchifier itself where that is known of it
   */
  static Batchifier of(Batchifier own, String what, int axis, SampleBySample separate) {
    boolean known =
        own.getClass() == StackBatchifier.class
            || (own instanceof FixedLengthBatchifier fixed && fixed.isOfDjls());
    return known ? own : new SeparateBatchifier(own, what, axis, separate);
  }

  @Override
  public NDList batchify(NDList[] inputs) {
    return separate.apply(
        what,
        List.of(inputs),
        samples -> own.batchify(samples.toArray(NDList[]::new)),
        axis,
        Match::of);
  }

  @Override
  public NDList[] unbatchify(NDList inputs) {
    return own.unbatchify(inputs);
  }

  @Override
  public NDList[] split(NDList list, int numOfSlices, boolean evenSplit) {
    return own.split(list, numOfSlices, evenSplit);
  }
}
