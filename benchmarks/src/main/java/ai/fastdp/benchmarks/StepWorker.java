/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import ai.fastdp.examples.gpt2.Gpt2Config;
import ai.fastdp.examples.gpt2.PeakMemory;
import ai.fastdp.kernel.NativeAllocator;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * A process that runs steps of one mode when it is told to, so that modes take turns on the machine
 * and each has a peak memory of its own.
 *
 * <p>Reads numbers of steps, one a line, and answers with their times in nanoseconds; answers an
 * empty line with the peak resident set in bytes and ends.
 */
final class StepWorker {
  private StepWorker() {}

  /** Arguments: mode, style, vocabulary, tokens, width, layers, heads, batch size, blocks. */
  public static void main(String[] arguments) throws Exception {
    NativeAllocator.keepFreedMemory();
    int[] numbers = new int[arguments.length];
    for (int i = 2; i < arguments.length; i++) {
      numbers[i] = Integer.parseInt(arguments[i]);
    }
    Gpt2Config config = Gpt2Config.of(numbers[2], numbers[3], numbers[4], numbers[5], numbers[6]);
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (StepWorkload workload =
        new StepWorkload(
            StepMode.valueOf(arguments[0]),
            StepStyle.valueOf(arguments[1]).of(numbers[8]),
            config,
            numbers[7])) {
      String line = in.readLine();
      while (line != null && !line.isEmpty()) {
        StringBuilder times = new StringBuilder();
        for (int i = Integer.parseInt(line); i > 0; i--) {
          times.append(workload.step()).append(' ');
        }
        System.out.println(times);
        line = in.readLine();
      }
      System.out.println(PeakMemory.bytes());
    }
  }
}
