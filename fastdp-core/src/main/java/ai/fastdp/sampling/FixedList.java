/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.sampling;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Iterator;
import java.util.ListIterator;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * A list of arrays that cannot be exchanged: what a training loop is given must be what the model
 * and the loss get.
 */
public final class FixedList extends NDList {
  private static final long serialVersionUID = 1L;

  /**
   * Creates a list of the arrays of another one.
   *
   * @param arrays the arrays
   */
  public FixedList(NDList arrays) {
    super(arrays);
  }

  private static UnsupportedOperationException refusal() {
    return new UnsupportedOperationException(
        "arrays of a private batch must stay as they are, got a change of their list; change samples"
            + " in the data set's pipeline, where each depends on itself alone, and predictions in"
            + " the model or the loss");
  }

  @Override
  public boolean add(NDArray array) {
    throw refusal();
  }

  @Override
  public void add(int index, NDArray array) {
    throw refusal();
  }

  @Override
  public boolean addAll(Collection<? extends NDArray> arrays) {
    throw refusal();
  }

  @Override
  public NDList addAll(NDList other) {
    throw refusal();
  }

  @Override
  public boolean addAll(int index, Collection<? extends NDArray> arrays) {
    throw refusal();
  }

  @Override
  public NDArray set(int index, NDArray array) {
    throw refusal();
  }

  @Override
  public NDArray remove(int index) {
    throw refusal();
  }

  @Override
  public NDArray remove(String name) {
    throw refusal();
  }

  @Override
  public boolean remove(Object array) {
    throw refusal();
  }

  @Override
  public boolean removeAll(Collection<?> arrays) {
    throw refusal();
  }

  @Override
  public boolean retainAll(Collection<?> arrays) {
    throw refusal();
  }

  @Override
  public boolean removeIf(Predicate<? super NDArray> filter) {
    throw refusal();
  }

  @Override
  public void replaceAll(UnaryOperator<NDArray> operator) {
    throw refusal();
  }

  @Override
  public void sort(Comparator<? super NDArray> order) {
    throw refusal();
  }

  @Override
  protected void removeRange(int from, int to) {
    throw refusal();
  }

  @Override
  public void clear() {
    throw refusal();
  }

  @Override
  public Iterator<NDArray> iterator() {
    return listIterator();
  }

  @Override
  public ListIterator<NDArray> listIterator() {
    return listIterator(0);
  }

  @Override
  public ListIterator<NDArray> listIterator(int index) {
    return new FixedIterator(super.listIterator(index));
  }

  private static final class FixedIterator implements ListIterator<NDArray> {
    private final ListIterator<NDArray> iterator;

    FixedIterator(ListIterator<NDArray> iterator) {
      this.iterator = iterator;
    }

    @Override
    public boolean hasNext() {
      return iterator.hasNext();
    }

    @Override
    public NDArray next() {
      return iterator.next();
    }

    @Override
    public boolean hasPrevious() {
      return iterator.hasPrevious();
    }

    @Override
    public NDArray previous() {
      return iterator.previous();
    }

    @Override
    public int nextIndex() {
      return iterator.nextIndex();
    }

    @Override
    public int previousIndex() {
      return iterator.previousIndex();
    }

    @Override
    public void remove() {
      throw refusal();
    }

    @Override
    public void set(NDArray array) {
      throw refusal();
    }

    @Override
    public void add(NDArray array) {
      throw refusal();
    }
  }
}
