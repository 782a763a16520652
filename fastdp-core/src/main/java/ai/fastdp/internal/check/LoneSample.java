/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.internal.hook.SampleAxis;
import ai.fastdp.internal.pass.BookKeeper;

/** A copy of a physical batch of one sample, kept until another one comes. */
final class LoneSample implements AutoCloseable {
  private final BookKeeper bookKeeper;
  private final NDManager owner;
  private final NDList data;
  private final NDList labels;

  LoneSample(BookKeeper bookKeeper, LossRun runs, NDList data, NDList labels) {
    this.bookKeeper = bookKeeper;
    owner = bookKeeper.model().getNDManager().newSubManager();
    this.data = runs.fresh(data, owner);
    this.labels = runs.fresh(labels, owner);
  }

  /** Returns whether another batch of one has the same shapes and types. */
  boolean isLike(NDList otherData, NDList otherLabels) {
    return areLike(data, otherData) && areLike(labels, otherLabels);
  }

  private static boolean areLike(NDList one, NDList other) {
    boolean like = one.size() == other.size();
    for (int i = 0; like && i < one.size(); i++) {
      like =
          one.get(i).getShape().equals(other.get(i).getShape())
              && one.get(i).getDataType() == other.get(i).getDataType();
    }
    return like;
  }

  /**
   * Joins this sample with another one, in this order.
   *
   * @return the data and then the labels of both
   */
  NDList joined(NDList otherData, NDList otherLabels, NDManager manager) {
    NDList both = joined(data, otherData, bookKeeper.axes().data(), manager);
    both.addAll(joined(labels, otherLabels, bookKeeper.axes().labels(), manager));
    return both;
  }

  private static NDList joined(NDList one, NDList other, SampleAxis axis, NDManager manager) {
    NDList both = new NDList();
    for (int i = 0; i < one.size(); i++) {
      NDArray array = one.get(i).concat(other.get(i), axis.number());
      array.attach(manager);
      array.setName(other.get(i).getName());
      both.add(array);
    }
    return both;
  }

  @Override
  public void close() {
    owner.close();
  }
}
