/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.translate.Pipeline;
import ai.fastdp.internal.hook.SampleAxis;
import java.util.ArrayList;
import java.util.List;

/** Applies a pipeline that DJL applies to a batch to a batch of each sample alone. */
final class SeparatePipeline extends Pipeline {
  private final Pipeline own;
  private final String what;
  private final int from;
  private final int to;
  private final SampleBySample separate;

  /**
   * @param own the data set's
   * @param what what it transforms, in errors
   * @param from the axis of the samples that it is given
   * @param to the axis of the samples that it returns
   */
  SeparatePipeline(Pipeline own, String what, int from, int to, SampleBySample separate) {
    this.own = own;
    this.what = what;
    this.from = from;
    this.to = to;
    this.separate = separate;
  }

  @Override
  public NDList transform(NDList batch) {
    return batch.isEmpty()
        ? own.transform(batch)
        : separate.apply(
            what,
            samples(batch),
            samples -> own.transform(SampleBySample.join(what, samples, from)),
            to,
            (one, other) -> Match.ofComputed(one, other, new SampleAxis(to)));
  }

  private List<NDList> samples(NDList batch) {
    SampleAxis axis = new SampleAxis(from);
    NDArray first = batch.head();
    long count = first.getShape().dimension() > from ? first.getShape().get(from) : 1;
    List<NDList> samples = new ArrayList<>();
    for (long i = 0; i < count; i++) {
      NDList sample = new NDList();
      for (NDArray array : batch) {
        PoissonBatches.requireSamples(what, array, from, Math.toIntExact(count));
        NDArray row = axis.slice(array, i, i + 1);
        row.setName(array.getName());
        sample.add(row);
      }
      samples.add(sample);
    }
    return samples;
  }
}
