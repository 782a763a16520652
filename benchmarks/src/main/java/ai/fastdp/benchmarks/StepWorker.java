/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.benchmarks;

import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.examples.training.PeakMemory;
import ai.fastdp.kernel.NativeAllocator;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A process that runs steps of one mode when it is told to, so that modes take turns on the machine
 * and each has a peak memory of its own.
 *
 * <p>Reads numbers of steps, one a line, and answers with their times in nanoseconds; answers an
 * empty line with the peak resident set in bytes and ends.
 */
final class StepWorker {
  private StepWorker() {}

  /**
   * Arguments: mode, style, blocks, batch size, bytes of noise ahead, and those of a {@link
   * StepSubject}.
   */
  public static void main(String[] arguments) throws Exception {
    NativeAllocator.keepFreedMemory();
    StepMode mode = StepMode.valueOf(arguments[0]);
    ClippingStyle style = StepStyle.valueOf(arguments[1]).of(Integer.parseInt(arguments[2]));
    int batchSize = Integer.parseInt(arguments[3]);
    long noiseAhead = Long.parseLong(arguments[4]);
    StepSubject subject = StepSubject.parse(Arrays.asList(arguments).subList(5, arguments.length));
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (StepWorkload workload = new StepWorkload(mode, style, subject, batchSize, noiseAhead)) {
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
