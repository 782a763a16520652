/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import java.util.Arrays;
import java.util.List;

/**
 * An example as the model sees it: every array has the same length T, and {@code targets[t]} is the
 * token after {@code ids[t]}.
 */
final class EncodedExample {

  /** The input. */
  final long[] ids;

  /** The next token at each place. */
  final long[] targets;

  /**
   * 1 where the target belongs to the completion (the end of the text included), 0 on the prompt
   * and after the end.
   */
  final float[] mask;

  private EncodedExample(long[] ids, long[] targets, float[] mask) {
    this.ids = ids;
    this.targets = targets;
    this.mask = mask;
  }

  /**
   * Encodes an example. A text longer than T + 1 tokens is cut at its end; one whose completion is
   * cut off altogether has a mask of zeros and so no loss and no gradient.
   *
   * @param example the text
   * @param tokenizer makes the ids
   * @param length T
   */
  static EncodedExample of(TextExample example, TextTokenizer tokenizer, int length) {
    long[] prompt = tokenizer.encode(example.prompt());
    long[] completion = tokenizer.encode(example.completion());
    long[] tokens = new long[length + 1];
    Arrays.fill(tokens, tokenizer.endOfText());
    int promptLength = Math.min(prompt.length, tokens.length);
    System.arraycopy(prompt, 0, tokens, 0, promptLength);
    int completionLength = Math.min(completion.length, tokens.length - promptLength);
    System.arraycopy(completion, 0, tokens, promptLength, completionLength);

    float[] mask = new float[length];
    int end = Math.min(promptLength + completionLength, length);
    for (int target = Math.max(promptLength, 1); target <= end; target++) {
      mask[target - 1] = 1;
    }
    return new EncodedExample(
        Arrays.copyOf(tokens, length), Arrays.copyOfRange(tokens, 1, length + 1), mask);
  }

  /** Returns whether any of the completion is left. */
  boolean hasTarget() {
    for (float place : mask) {
      if (place > 0) {
        return true;
      }
    }
    return false;
  }

  /**
   * Encodes examples into a data set: data is the ids (B, T); labels are the targets (B, T) and the
   * mask (B, T).
   *
   * @param manager owns the arrays
   * @param examples at least one
   * @param tokenizer makes the ids
   * @param length T
   * @param batchSize samples in a batch, for those who ask the data set for batches
   * @param shuffled whether these batches come in random order
   */
  static ArrayDataset dataset(
      NDManager manager,
      List<TextExample> examples,
      TextTokenizer tokenizer,
      int length,
      int batchSize,
      boolean shuffled) {
    int count = examples.size();
    long[] ids = new long[Math.multiplyExact(count, length)];
    long[] targets = new long[ids.length];
    float[] mask = new float[ids.length];
    for (int i = 0; i < count; i++) {
      EncodedExample encoded = of(examples.get(i), tokenizer, length);
      System.arraycopy(encoded.ids, 0, ids, i * length, length);
      System.arraycopy(encoded.targets, 0, targets, i * length, length);
      System.arraycopy(encoded.mask, 0, mask, i * length, length);
    }
    Shape shape = new Shape(count, length);
    NDArray[] labels = {manager.create(targets, shape), manager.create(mask, shape)};
    return new ArrayDataset.Builder()
        .setData(manager.create(ids, shape))
        .optLabels(labels)
        .setSampling(batchSize, shuffled)
        .build();
  }
}
