/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import ai.fastdp.clipping.ClippingStyle;
import ai.fastdp.internal.ghost.GhostRules;
import ai.fastdp.internal.hook.HookedModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The table of layers in the documentation says what the code does. */
final class LayerTableTest {

  /** A row of the table: the layer's class, its parameters, its styles, and what tests it. */
  record Row(Class<?> layer, Set<String> parameters, String styles, List<String> tests) {
    @Override
    public String toString() {
      return layer.getSimpleName();
    }

    /** Recipes are named by the beginning of their names. */
    List<Recipe> recipes() {
      return Arrays.stream(Recipe.values())
          .filter(recipe -> tests.stream().anyMatch(recipe.name()::startsWith))
          .toList();
    }

    /** The first recipe by each name. */
    List<Recipe> firstRecipes() {
      return tests.stream()
          .flatMap(
              test -> recipes().stream().filter(recipe -> recipe.name().startsWith(test)).limit(1))
          .toList();
    }

    boolean isTestedByRecipes() {
      return tests.stream().noneMatch(test -> test.startsWith("`"));
    }
  }

  static List<Row> rows() {
    try (Stream<String> lines = Files.lines(Path.of("..", "docs", "layers.md"))) {
      return lines
          .dropWhile(line -> !line.startsWith("| layer | parameters |"))
          .skip(2)
          .takeWhile(line -> line.startsWith("|"))
          .map(LayerTableTest::row)
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Row row(String line) {
    String[] cells = line.split("\\|", -1);
    assertThat(cells).as(line).hasSize(9);
    try {
      return new Row(
          Class.forName(cells[1].strip().replace("`", "")),
          new TreeSet<>(List.of(cells[2].strip().split(", "))),
          cells[6].strip(),
          List.of(cells[7].strip().split(", ")));
    } catch (ClassNotFoundException e) {
      throw new AssertionError(line, e);
    }
  }

  static List<Row> rowsOfRecipes() {
    return rows().stream().filter(Row::isTestedByRecipes).toList();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("rowsOfRecipes")
  void row_recipes_trainTheLayerWithItsParameters(Row row) {
    assertThat(row.recipes()).isNotEmpty();
    Set<String> trained = new TreeSet<>();
    for (Recipe recipe : row.recipes()) {
      try (Model model = recipe.model()) {
        for (HookedModel.Located located : HookedModel.walk(model.getBlock())) {
          if (row.layer().isInstance(located.block())) {
            assertThat(GhostRules.standard().support(located.block())).isTrue();
            for (Pair<String, Parameter> pair : located.block().getDirectParameters()) {
              if (pair.getValue().requiresGradient()) {
                trained.add(pair.getKey());
              }
            }
          }
        }
      }
    }
    assertThat(trained).isEqualTo(row.parameters());
  }

  @Test
  void styles_allAreNamedAndEveryRowHasThem() throws IOException {
    String document = Files.readString(Path.of("..", "docs", "layers.md"));
    for (Method method : ClippingStyle.class.getMethods()) {
      if (method.getReturnType() == ClippingStyle.class) {
        assertThat(document).contains("`" + method.getName() + "`");
      }
    }
    // StyleExactnessTest runs all of them on each row's recipes.
    assertThat(rows()).allMatch(row -> row.styles().equals("all") && !row.firstRecipes().isEmpty());
  }

  @Test
  void rows_otherTests_exist() {
    for (Row row : rows()) {
      if (!row.isTestedByRecipes()) {
        for (String test : row.tests().stream().filter(t -> t.startsWith("`")).toList()) {
          assertThat(Path.of("src/test/java/ai/fastdp", test.replace("`", "") + ".java")).exists();
        }
      }
    }
  }

  @Test
  void rules_eachForward_hasARow() {
    List<Class<?>> missing = new ArrayList<>();
    for (Class<? extends Block> owner : GhostRules.standard().forwards()) {
      boolean found =
          rows().stream()
              .anyMatch(
                  row ->
                      Modifier.isAbstract(owner.getModifiers())
                          ? owner.isAssignableFrom(row.layer())
                          : owner == row.layer());
      if (!found) {
        missing.add(owner);
      }
    }
    assertThat(missing).isEmpty();
  }

  @Test
  void rows_eachLayer_hasARule() {
    Set<Class<? extends Block>> owners = new HashSet<>(GhostRules.standard().forwards());
    for (Row row : rows()) {
      assertThat(owners).anyMatch(owner -> owner.isAssignableFrom(row.layer()));
    }
  }

  @Test
  void recipes_eachTrainableLayer_isInTheTable() {
    Set<Class<?>> documented = new HashSet<>();
    rows().forEach(row -> documented.add(row.layer()));
    for (Recipe recipe : Recipe.values()) {
      try (Model model = recipe.model()) {
        for (HookedModel.Located located : HookedModel.walk(model.getBlock())) {
          boolean trains =
              located.block().getDirectParameters().values().stream()
                  .anyMatch(Parameter::requiresGradient);
          assertThat(!trains || documented.stream().anyMatch(c -> c.isInstance(located.block())))
              .as("%s of %s", located.block().getClass(), recipe)
              .isTrue();
        }
      }
    }
  }
}
