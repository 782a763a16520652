/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import ai.fastdp.examples.training.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.apache.commons.csv.CSVException;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/**
 * Reads the files of the E2E NLG challenge: rows of a meaning representation {@code mr}, such as
 * {@code name[Blue Spice], eatType[pub]}, and a reference text {@code ref}.
 *
 * <p>The meaning becomes the prompt in the form that the papers on private fine-tuning use, {@code
 * name : Blue Spice | eatType : pub ||}.
 *
 * @see <a href="https://arxiv.org/abs/1706.09254">Novikova et al. 2017</a>
 */
final class E2eFile {

  private static final String MEANING = "mr";
  private static final String REFERENCE = "ref";

  /** One slot and what separates it from the next, if there is one. */
  private static final Pattern SLOT =
      Pattern.compile("\\s*([^\\s\\[\\],][^\\[\\],]*)\\[([^\\[\\]]*)\\]\\s*(,|$)");

  private E2eFile() {}

  /** Returns whether a path is to be read as a zip file. */
  static boolean isZip(Path path) {
    return path.toString().toLowerCase(Locale.ROOT).endsWith(".zip");
  }

  /**
   * Reads a CSV file, or one in a zip file.
   *
   * @param path the file
   * @param entryName of several CSV files in a zip file, the name of the one to read
   * @return the rows, in order
   * @throws InputException if it cannot be read or a row is malformed, naming the row
   */
  static List<TextExample> read(Path path, String entryName) {
    try {
      if (!isZip(path)) {
        try (InputStream stream = Files.newInputStream(path)) {
          return parse(stream, path.toString());
        }
      }
      try (ZipFile zip = new ZipFile(path.toFile())) {
        ZipEntry entry = find(zip, path, entryName);
        try (InputStream stream = zip.getInputStream(entry)) {
          return parse(stream, path + "!" + entry.getName());
        }
      }
    } catch (IOException e) {
      throw new InputException("cannot read " + path + reason(e), e);
    }
  }

  private static ZipEntry find(ZipFile zip, Path path, String entryName) {
    List<ZipEntry> tables = new ArrayList<>();
    for (Enumeration<? extends ZipEntry> all = zip.entries(); all.hasMoreElements(); ) {
      ZipEntry entry = all.nextElement();
      String name = entry.getName().substring(entry.getName().lastIndexOf('/') + 1);
      if (name.equals(entryName)) {
        return entry;
      }
      if (name.endsWith(".csv")) {
        tables.add(entry);
      }
    }
    if (tables.size() != 1) {
      throw new InputException(
          path + " must hold " + entryName + " or a single CSV file, got " + tables);
    }
    return tables.get(0);
  }

  private static List<TextExample> parse(InputStream stream, String source) throws IOException {
    CSVFormat format = CSVFormat.RFC4180.builder().setHeader().setSkipHeaderRecord(true).get();
    List<TextExample> examples = new ArrayList<>();
    try (Reader reader =
            new InputStreamReader(
                stream,
                StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT));
        CSVParser parser = CSVParser.parse(reader, format)) {
      List<String> header = parser.getHeaderNames();
      if (!header.contains(MEANING) || !header.contains(REFERENCE)) {
        throw new InputException(
            source + " must have the columns " + MEANING + " and " + REFERENCE);
      }
      for (CSVRecord row : parser) {
        examples.add(example(row, source));
      }
    } catch (CSVException | UncheckedIOException | IllegalArgumentException e) {
      throw new InputException(
          source + " is not a CSV file: after row " + examples.size() + reason(e), e);
    }
    if (examples.isEmpty()) {
      throw new InputException(source + " has no rows");
    }
    return examples;
  }

  private static TextExample example(CSVRecord row, String source) {
    if (!row.isConsistent()) {
      throw malformed(row, source, "must have one value for each column");
    }
    String reference = row.get(REFERENCE).strip();
    if (reference.isEmpty()) {
      throw malformed(row, source, "must have a text in column " + REFERENCE);
    }
    return TextExample.of(prompt(row, source), reference);
  }

  private static String prompt(CSVRecord row, String source) {
    String meaning = row.get(MEANING);
    Matcher slot = SLOT.matcher(meaning);
    StringBuilder prompt = new StringBuilder();
    int position = 0;
    boolean more = true;
    while (more && slot.find(position) && slot.start() == position) {
      if (prompt.length() > 0) {
        prompt.append(" | ");
      }
      prompt.append(slot.group(1).strip()).append(" : ").append(slot.group(2).strip());
      position = slot.end();
      more = slot.group(3).equals(",");
    }
    if (more || position != meaning.length()) {
      throw malformed(
          row, source, "must have slots of the form name[value], name[value] in column " + MEANING);
    }
    return prompt.toString();
  }

  /** The row is named by its number only: what it says is private. */
  private static InputException malformed(CSVRecord row, String source, String rule) {
    return new InputException(source + ": row " + row.getRecordNumber() + " " + rule);
  }

  private static String reason(Exception e) {
    return e.getMessage() == null ? "" : ": " + e.getMessage().lines().findFirst().orElse("");
  }
}
