/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.translate.Batchifier;
import ai.djl.translate.PaddingStackBatchifier;
import ai.djl.translate.SimplePaddingStackBatchifier;
import ai.fastdp.internal.hook.SampleAxis;
import java.util.ArrayList;
import java.util.List;

/**
 * Has a data set's own batchifier pad to a fixed length in place of the longest sample's.
 *
 * <p>Each sample is cut to the length by itself, and a sample of zeros of that length is batched
 * with them and dropped again: so the batchifier finds the length, and its own values of padding
 * and its valid lengths stay as they are.
 */
final class FixedLengthBatchifier implements Batchifier {
  private static final long serialVersionUID = 1;

  private final Batchifier own;
  private final long length;
  private final int sampleAxis;

  /**
   * @param own the data set's batchifier
   * @param length the length of every padded axis
   * @param sampleAxis the axis on which the batchifier puts the samples
   */
  FixedLengthBatchifier(Batchifier own, long length, int sampleAxis) {
    this.own = own;
    this.length = length;
    this.sampleAxis = sampleAxis;
  }

  /** Whether the batchifier is DJL's own, which pads each sample by itself to a length. */
  boolean isOfDjls() {
    return own.getClass() == PaddingStackBatchifier.class
        || own.getClass() == SimplePaddingStackBatchifier.class;
  }

  @Override
  public NDList batchify(NDList[] inputs) {
    NDList[] all = new NDList[inputs.length + 1];
    for (int i = 0; i < inputs.length; i++) {
      all[i] = cut(inputs[i]);
    }
    all[inputs.length] = filler(inputs[0]);
    NDList batch = new NDList();
    for (NDArray array : own.batchify(all)) {
      NDArray samples = new SampleAxis(sampleAxis).slice(array, 0, inputs.length);
      samples.setName(array.getName());
      batch.add(samples);
    }
    return batch;
  }

  /** An axis of one of a sample's arrays that is padded. */
  private record Padded(int array, int axis) {}

  private List<Padded> padded(NDList sample) {
    List<Padded> padded = new ArrayList<>();
    if (own instanceof PaddingStackBatchifier stacking) {
      List<List<Integer>> declared = DatasetParts.padded(stacking);
      for (int i = 0; i < declared.get(0).size(); i++) {
        padded.add(new Padded(declared.get(0).get(i), declared.get(1).get(i)));
      }
    } else {
      for (int k = 0; k < sample.size(); k++) {
        if (sample.get(k).getShape().dimension() > 0) {
          padded.add(new Padded(k, 0));
        }
      }
    }
    return padded;
  }

  private NDList cut(NDList sample) {
    NDList cut = new NDList(sample);
    for (Padded place : padded(sample)) {
      NDArray array = cut.get(place.array());
      if (array.getShape().get(place.axis()) > length) {
        NDArray begin = array.get(new NDIndex().addAllDim(place.axis()).addSliceDim(0, length));
        begin.setName(array.getName());
        cut.set(place.array(), begin);
      }
    }
    return cut;
  }

  private NDList filler(NDList sample) {
    NDList filler = new NDList(sample);
    for (Padded place : padded(sample)) {
      NDArray array = filler.get(place.array());
      Shape shape = Shape.update(array.getShape(), place.axis(), length);
      NDArray zeros = array.getManager().zeros(shape, array.getDataType(), array.getDevice());
      zeros.setName(array.getName());
      filler.set(place.array(), zeros);
    }
    return filler;
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
