/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.gpt2;

import com.google.gson.Gson;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;

/** The files that {@code gpt2-tiny/make_reference.py} made. */
final class GptTiny {

  private GptTiny() {}

  static Path path(String name) {
    URL url = Objects.requireNonNull(GptTiny.class.getResource("/gpt2-tiny/" + name), name);
    try {
      return Path.of(url.toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static Reference reference() {
    return read("reference.json", Reference.class);
  }

  static <T> T read(String name, Class<T> type) {
    try {
      return new Gson().fromJson(Files.readString(path(name)), type);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What transformers computed: fields as in the file. */
  static final class Reference {
    long[][] ids = {};
    float[][][] logits = {};
    double loss;
    Map<String, Double> gradientNorms = Map.of();
  }
}
