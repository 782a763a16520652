/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.norm.LayerNorm;
import ai.fastdp.HostileSamples.Pair;
import ai.fastdp.nn.GroupNorm;
import ai.fastdp.nn.TiedLinear;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Layers and their uses, as a forward pass would have recorded them. */
enum HostileModel {
  LINEAR {
    @Override
    List<Use> uses(HostileSamples hostile) {
      int positions = 1 + hostile.count(6);
      return List.of(new Use(layer("linear"), hostile.pair(positions, 5, 4)));
    }
  },
  LINEAR_LONG {
    @Override
    List<Use> uses(HostileSamples hostile) {
      int positions = hostile.coin() ? 64 : 300;
      return List.of(new Use(layer("linear"), hostile.pair(positions, 5, 4)));
    }
  },
  LINEAR_VERY_LONG {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(new Use(layer("linear"), hostile.pair(longLength(hostile), 5, 4)));
    }

    @Override
    boolean isSlow() {
      return true;
    }
  },
  LINEAR_BY_GRAMS {
    @Override
    List<Use> uses(HostileSamples hostile) {
      int positions = 3 + hostile.count(60);
      return List.of(new Use(layer("large"), hostile.pair(positions, 128, 144)));
    }

    @Override
    boolean isSlow() {
      return true;
    }
  },
  EMBEDDING_LONG {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(new Use(layer("table"), hostile.rows(longLength(hostile), 7, 5)));
    }

    @Override
    boolean isSlow() {
      return true;
    }
  },
  NORM_LONG {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(new Use(layer("norm"), hostile.pair(longLength(hostile), 5, 5)));
    }

    @Override
    boolean isSlow() {
      return true;
    }
  },
  LINEAR_WIDE {
    @Override
    List<Use> uses(HostileSamples hostile) {
      int positions = 2 + hostile.count(4);
      return List.of(new Use(layer("wide"), hostile.pair(positions, 24, 32)));
    }
  },
  LINEAR_REUSED {
    @Override
    List<Use> uses(HostileSamples hostile) {
      Pair first = hostile.pair(3, 5, 4);
      Pair second = hostile.coin() ? first.negated() : hostile.pair(2, 5, 4);
      return List.of(
          new Use(layer("linear"), first),
          new Use(layer("linear"), second),
          new Use(layer("linear"), hostile.coin() ? first : hostile.pair(1, 5, 4)));
    }
  },
  EMBEDDING {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(new Use(layer("table"), hostile.rows(6, 7, 5)));
    }
  },
  EMBEDDING_REUSED {
    @Override
    List<Use> uses(HostileSamples hostile) {
      Pair first = hostile.rows(4, 7, 5);
      return List.of(
          new Use(layer("table"), first),
          new Use(layer("table"), hostile.coin() ? first.negated() : hostile.rows(4, 7, 5)));
    }
  },
  TIED {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(
          new Use(layer("table"), hostile.rows(4, 7, 5)),
          new Use(layer("head"), hostile.pair(3, 5, 7)));
    }
  },
  TIED_CANCELLING {
    @Override
    List<Use> uses(HostileSamples hostile) {
      // The head's gradient is what the look-ups put into one row, with the other sign.
      float scale = hostile.scale();
      float[] row = hostile.values(5, scale);
      float[] input = row.clone();
      float[] output = new float[7];
      output[2] = -1;
      return List.of(
          new Use(layer("table"), new Pair(hostile.ids(2), hostile.array(row, 1, 5))),
          new Use(layer("head"), new Pair(hostile.array(input, 1, 5), hostile.array(output, 1, 7))),
          new Use(layer("head"), hostile.pair(1, 5, 7)));
    }
  },
  NORM {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(new Use(layer("norm"), hostile.pair(4, 5, 5)));
    }
  },
  CONV_BY_WINDOWS {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(new Use(layer("conv"), hostile.images(3, 6, 4, 4)));
    }
  },
  CONV_BY_PATCHES {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(new Use(layer("strided"), hostile.images(4, 7, 4, 4)));
    }
  },
  CONV_KEPT {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(new Use(layer("conv"), hostile.images(3, 10, 4, 8)));
    }
  },
  CONV_NOT_KEPT {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(new Use(layer("conv"), hostile.images(3, 12, 4, 10)));
    }

    @Override
    long cells() {
      return 1;
    }
  },
  CONV_REUSED {
    @Override
    List<Use> uses(HostileSamples hostile) {
      Pair first = hostile.images(3, 6, 4, 4);
      return List.of(
          new Use(layer("conv"), first),
          new Use(layer("conv"), hostile.coin() ? first.negated() : hostile.images(3, 5, 4, 3)));
    }
  },
  GROUP_NORM {
    @Override
    List<Use> uses(HostileSamples hostile) {
      return List.of(new Use(layer("group-norm"), hostile.images(4, 3, 4, 3)));
    }
  },
  ALL_OF_IMAGES {
    @Override
    List<Use> uses(HostileSamples hostile) {
      List<Use> all = new ArrayList<>();
      all.addAll(CONV_REUSED.uses(hostile));
      all.addAll(CONV_BY_PATCHES.uses(hostile));
      all.addAll(GROUP_NORM.uses(hostile));
      return all;
    }
  },
  ALL {
    @Override
    List<Use> uses(HostileSamples hostile) {
      List<Use> all = new ArrayList<>();
      all.addAll(LINEAR.uses(hostile));
      all.addAll(TIED.uses(hostile));
      all.addAll(NORM.uses(hostile));
      all.addAll(LINEAR_WIDE.uses(hostile));
      return all;
    }
  };

  abstract List<Use> uses(HostileSamples hostile);

  /** The bound on temporaries. */
  long cells() {
    return 1 << 14;
  }

  /** Models of which there is time for fewer samples. */
  boolean isSlow() {
    return this == ALL;
  }

  private static int longLength(HostileSamples hostile) {
    return (int) Math.pow(10, 2 + hostile.count(3));
  }

  record Use(Block layer, Pair pair) {}

  private static final NDManager MANAGER = NDManager.newBaseManager("PyTorch");
  private static final Map<String, Block> LAYERS = new HashMap<>();

  static Block layer(String name) {
    Block known = LAYERS.get(name);
    if (known != null) {
      return known;
    }
    Block layer =
        switch (name) {
          case "linear" -> Recipe.linear(4);
          case "wide" -> Recipe.linear(32);
          case "large" -> Recipe.linear(144);
          case "table" -> Recipe.idEmbedding(7, 5);
          case "head" -> new TiedLinear(layer("table"));
          case "conv" -> Recipe.conv2d(4, 3, 1, 0, 1, 1, true);
          case "strided" -> Recipe.conv2d(4, 3, 2, 1, 1, 2, true);
          case "group-norm" -> GroupNorm.builder().setGroups(2).build();
          default -> LayerNorm.builder().axis(2).build();
        };
    Shape input =
        switch (name) {
          case "wide" -> new Shape(1, 3, 24);
          case "large" -> new Shape(1, 3, 128);
          case "table" -> new Shape(1, 3);
          case "conv" -> new Shape(1, 3, 6, 6);
          case "strided", "group-norm" -> new Shape(1, 4, 7, 7);
          default -> new Shape(1, 3, 5);
        };
    layer.initialize(MANAGER, DataType.FLOAT32, input);
    LAYERS.put(name, layer);
    return layer;
  }
}
