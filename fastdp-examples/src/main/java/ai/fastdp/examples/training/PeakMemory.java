/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.training;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The most memory that this process has held so far. */
public final class PeakMemory {

  private static final Path STATUS = Path.of("/proc/self/status");
  private static final Pattern PEAK_RESIDENT = Pattern.compile("VmHWM:\\s+(\\d+) kB");

  private PeakMemory() {}

  /**
   * Returns the peak of the resident set, which holds the native arrays too. Where the system does
   * not tell (all but Linux), the memory that the Java virtual machine holds now is returned, which
   * is less.
   *
   * @return bytes
   */
  public static long bytes() {
    try {
      Matcher matcher = PEAK_RESIDENT.matcher(Files.readString(STATUS));
      if (matcher.find()) {
        return Long.parseLong(matcher.group(1)) * 1024;
      }
    } catch (IOException e) {
      // Not Linux.
    }
    var memory = ManagementFactory.getMemoryMXBean();
    return memory.getHeapMemoryUsage().getCommitted()
        + memory.getNonHeapMemoryUsage().getCommitted();
  }
}
