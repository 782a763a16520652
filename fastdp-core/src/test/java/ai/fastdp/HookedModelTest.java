/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.BlockList;
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.ParameterList;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.initializer.Initializer;
import ai.djl.translate.NoopTranslator;
import ai.djl.util.PairList;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.sampling.PrivateBatch;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Hooks: found wherever a block keeps its layers, unseen by everything else, gone afterwards. */
@Tag("slow")
final class HookedModelTest {
  private static final int SAMPLES = 5;

  private final Hoarder hoarder = new Hoarder();
  private final Model model = OneStep.model(hoarder);
  private final NDManager manager = model.getNDManager();

  @AfterEach
  void close() {
    model.close();
  }

  @Test
  void step_layersInEveryKindOfPlace_areHookedAndExact() {
    hoarder.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 4));
    NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 4));
    BatchOfOneOracle oracle = new BatchOfOneOracle(hoarder, new SquaredError()::evaluate);
    double[][][] expected = oracle.gradients(data, labels);
    assertThat(oracle.parameters()).hasSize(2 * Hoarder.LAYERS);
    try (EngineProbe probe =
        new EngineProbe(model, new SquaredError(), PerformanceOptions.defaults())) {
      EngineProbe.Result actual = probe.run(data, labels);
      for (int i = 0; i < SAMPLES; i++) {
        for (int k = 0; k < oracle.parameters().size(); k++) {
          assertThat(
                  BatchOfOneOracle.relativeError(
                      actual.gradient(oracle.parameters().get(k), i), expected[i][k]))
              .isLessThan(1e-5);
        }
      }
    }
  }

  @Test
  void detach_anyPlace_restoresTheModelToTheLastField() throws Exception {
    hoarder.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    IdentityHashMap<Object, List<Object>> before = snapshot(model.getBlock());
    PrivateTrainer trainer = trainer(model, new CapturingOptimizer());
    assertThat(differences(before, snapshot(model.getBlock()))).isNotEmpty();
    step(trainer, dataset());
    trainer.detach();
    assertThat(differences(before, snapshot(model.getBlock()))).isEmpty();
    trainer.detach();
    assertThat(differences(before, snapshot(model.getBlock()))).isEmpty();
    trainer.close();
    assertThat(differences(before, snapshot(model.getBlock()))).isEmpty();
  }

  @Test
  void detach_rootThatIsALayer_isPutBack() throws Exception {
    Linear root = Recipe.linear(4);
    try (Model leaf = OneStep.model(root)) {
      PrivateTrainer trainer = trainer(leaf, new CapturingOptimizer());
      trainer.initialize(new Shape(1, 4));
      assertThat(leaf.getBlock()).isNotSameAs(root);
      step(trainer, dataset());
      trainer.close();
      assertThat(leaf.getBlock()).isSameAs(root);
      // What was learned while the twin stood in is there.
      assertThat(root.isInitialized()).isTrue();
      assertThat(root.getInputShapes()).isNotNull();
    }
  }

  @Test
  void attach_initializedWhileAttached_detachKeepsTheShapes() throws Exception {
    PrivateTrainer trainer = trainer(model, new CapturingOptimizer());
    trainer.initialize(new Shape(1, 4));
    step(trainer, dataset());
    trainer.close();
    assertThat(hoarder.isInitialized()).isTrue();
    byte[] saved = saved(hoarder);
    assertThat(saved.length).isGreaterThan(Hoarder.LAYERS * (16 + 4) * Float.BYTES);
  }

  @Test
  void attach_fieldThatIsNotAccessible_leavesTheModelAsItWas() throws Exception {
    // The last child extends a class of the JDK, whose fields are closed to reflection.
    SequentialBlock root = new SequentialBlock().add(hoarder).add(new ThreadBlock());
    try (Model closed = OneStep.model(root)) {
      IdentityHashMap<Object, List<Object>> before = snapshot(hoarder);
      List<Block> children = root.getChildren().values();
      assertThatThrownBy(() -> trainer(closed, new CapturingOptimizer()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContainingAll("java.lang.Thread", "must be accessible");
      assertThat(differences(before, snapshot(hoarder))).isEmpty();
      assertThat(root.getChildren().values()).isEqualTo(children);
      // The model is free, and trains without that child.
      root.removeLastBlock();
      root.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
      try (PrivateTrainer trainer = trainer(closed, new CapturingOptimizer())) {
        step(trainer, dataset());
      }
    }
  }

  @Test
  void saveAndInfer_whileAttached_doNotChange() throws Exception {
    hoarder.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    NDArray input = OneStep.normal(manager, 3, 1, 2, 4);
    byte[] saved = saved(model.getBlock());
    float[] output = infer(model.getBlock(), input);
    List<String> names = model.getBlock().getParameters().keys();
    PrivateTrainer trainer = trainer(model, new CapturingOptimizer());
    assertThat(saved(model.getBlock())).isEqualTo(saved);
    assertThat(infer(model.getBlock(), input)).containsExactly(output);
    assertThat(model.getBlock().getParameters().keys()).isEqualTo(names);
    step(trainer, dataset());
    assertThat(saved(model.getBlock())).isEqualTo(saved);
    assertThat(trainer.evaluate(new NDList(input)).head().toFloatArray()).containsExactly(output);
    trainer.close();
    assertThat(saved(model.getBlock())).isEqualTo(saved);
  }

  @Test
  void load_whileAttached_reachesTheModel() throws Exception {
    hoarder.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    byte[] saved = saved(hoarder);
    Hoarder other = new Hoarder();
    try (Model second = OneStep.model(other)) {
      PrivateTrainer trainer = trainer(second, new CapturingOptimizer());
      second
          .getBlock()
          .loadParameters(
              second.getNDManager(),
              new java.io.DataInputStream(new java.io.ByteArrayInputStream(saved)));
      step(trainer, dataset());
      trainer.close();
      assertThat(saved(other)).isEqualTo(saved);
    }
  }

  @Test
  void predict_duringTraining_isUndisturbedAndUnrecorded() throws Exception {
    hoarder.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    float[] expected;
    try (NDManager own = NDManager.newBaseManager("PyTorch")) {
      expected = infer(hoarder, OneStep.normal(own, 3, 1, 2, 4));
    }
    CapturingOptimizer alone = new CapturingOptimizer();
    CapturingOptimizer disturbed = new CapturingOptimizer();
    try (PrivateTrainer trainer = trainer(model, alone)) {
      step(trainer, dataset());
    }
    AtomicBoolean stop = new AtomicBoolean();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    java.util.concurrent.atomic.AtomicInteger predictions =
        new java.util.concurrent.atomic.AtomicInteger();
    try (PrivateTrainer trainer = trainer(model, disturbed);
        Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator())) {
      Thread thread =
          new Thread(
              () -> {
                try (NDManager own = NDManager.newBaseManager("PyTorch")) {
                  while (!stop.get()) {
                    NDList out = predictor.predict(new NDList(OneStep.normal(own, 3, 1, 2, 4)));
                    assertThat(out.head().toFloatArray()).containsExactly(expected);
                    predictions.incrementAndGet();
                    out.close();
                  }
                } catch (Exception | AssertionError e) {
                  failure.set(e);
                }
              });
      thread.start();
      while (predictions.get() == 0 && failure.get() == null) {
        Thread.onSpinWait();
      }
      for (int i = 0; i < 20; i++) {
        step(trainer, dataset());
      }
      stop.set(true);
      thread.join();
    }
    assertThat(failure.get()).isNull();
    assertThat(predictions.get()).isPositive();
    for (Parameter parameter : hoarder.getParameters().values()) {
      assertThat(disturbed.gradients.get(parameter))
          .containsExactly(alone.gradients.get(parameter));
    }
  }

  @Test
  void step_modelThatClosesItsIntermediates_isExact() {
    Wiring closing =
        new Wiring(
                (call, x) -> {
                  NDArray h = call.run("a", x);
                  NDArray t = h.tanh();
                  h.close();
                  NDArray y = call.run("b", t);
                  t.close();
                  return y;
                })
            .part("a", Recipe.linear(4), 4)
            .part("b", Recipe.linear(4), 4);
    requireSameAs(closing, (call, x) -> call.run("b", call.run("a", x).tanh()));
  }

  /** Runs a wiring and another with the same parts, and compares their gradients bit for bit. */
  private void requireSameAs(Wiring wiring, Wiring.Body plain) {
    NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 4));
    NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 4));
    wiring.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    Wiring other = new Wiring(plain).part("a", wiring.get("a"), 4).part("b", wiring.get("b"), 4);
    EngineProbe.Result actual;
    EngineProbe.Result expected;
    try (Model first = OneStep.model(wiring);
        EngineProbe probe =
            new EngineProbe(first, new SquaredError(), PerformanceOptions.defaults())) {
      actual = probe.run(data, labels);
    }
    try (Model second = OneStep.model(other);
        EngineProbe probe =
            new EngineProbe(second, new SquaredError(), PerformanceOptions.defaults())) {
      expected = probe.run(data, labels);
    }
    for (Parameter parameter : wiring.getParameters().values()) {
      for (int i = 0; i < SAMPLES; i++) {
        assertThat(actual.gradient(parameter, i)).containsExactly(expected.gradient(parameter, i));
      }
    }
  }

  // ---------------------------------------------------------------- memory

  @ParameterizedTest
  @EnumSource(names = {"TRANSFORMER", "BIAS_ONLY"})
  void step_fiftyTimes_leavesNoArrayBehind(Recipe recipe) throws Exception {
    try (Model trained = recipe.model()) {
      NDList data = recipe.data(trained.getNDManager(), SAMPLES);
      NDList labels = recipe.labels(trained.getNDManager(), SAMPLES);
      ArrayDataset dataset = OneStep.dataset(data, labels);
      PrivacyPlan plan = OneStep.everySample(SAMPLES, 1).build();
      try (PrivateTrainer trainer =
          OneStep.engine(plan, recipe.loss())
              .optPerformance(PerformanceOptions.defaults().withPhysicalBatchSize(3))
              .build()
              .attach(trained, new CapturingOptimizer())) {
        NDManager root = trained.getNDManager();
        int warm = 0;
        int steps = 0;
        for (PrivateBatch batch : trainer.batches(dataset)) {
          long before = trainer.stepsTaken();
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
          if (trainer.stepsTaken() > before && ++steps == 3) {
            warm = root.getManagedArrays().size();
          }
          if (steps == 53) {
            break;
          }
        }
        assertThat(root.getManagedArrays()).hasSizeLessThanOrEqualTo(warm);
      }
    }
  }

  @Test
  void attachAndClose_repeatedly_leavesNoArrayBehind() throws Exception {
    hoarder.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    ArrayDataset dataset = dataset();
    int first = 0;
    for (int i = 0; i < 4; i++) {
      try (PrivateTrainer trainer = trainer(model, new CapturingOptimizer())) {
        step(trainer, dataset);
      }
      if (i == 0) {
        first = manager.getManagedArrays().size();
      }
    }
    assertThat(manager.getManagedArrays()).hasSize(first);
  }

  @Test
  void record_biasOnly_keepsNoInputs() {
    assertThat(recordedInputs(Recipe.BIAS_ONLY)).isZero();
    assertThat(recordedInputs(Recipe.LAYER_NORM_CENTER_ONLY)).isEqualTo(2);
    assertThat(recordedInputs(Recipe.LINEAR_RANK_3)).isEqualTo(2);
    assertThat(recordedInputs(Recipe.FROZEN_FIRST_LAYER)).isEqualTo(1);
  }

  private static long recordedInputs(Recipe recipe) {
    try (Model recorded = recipe.model();
        EngineProbe probe =
            new EngineProbe(recorded, recipe.loss(), PerformanceOptions.defaults())) {
      NDManager own = recorded.getNDManager();
      return probe.run(recipe.data(own, 3), recipe.labels(own, 3)).recordedInputs();
    }
  }

  // ---------------------------------------------------------------- what the tests stand on

  private ArrayDataset dataset() {
    return OneStep.dataset(
        new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 4)),
        new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 4)));
  }

  private static PrivateTrainer trainer(Model model, DpOptimizer optimizer) {
    return OneStep.engine(OneStep.everySample(SAMPLES, 1).build(), new SquaredError())
        .build()
        .attach(model, optimizer);
  }

  private static void step(PrivateTrainer trainer, ArrayDataset dataset) throws Exception {
    PrivateBatch batch = trainer.batches(dataset).iterator().next();
    trainer.trainBatch(batch);
    trainer.step();
    batch.close();
  }

  private static byte[] saved(Block block) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    block.saveParameters(new DataOutputStream(bytes));
    return bytes.toByteArray();
  }

  private static float[] infer(Block block, NDArray input) {
    return block
        .forward(new ParameterStore(input.getManager(), false), new NDList(input), false)
        .head()
        .toFloatArray();
  }

  /** Every field value and element reachable from a block through blocks and containers. */
  private static IdentityHashMap<Object, List<Object>> snapshot(Object root)
      throws IllegalAccessException {
    IdentityHashMap<Object, List<Object>> seen = new IdentityHashMap<>();
    List<Object> open = new ArrayList<>(List.of(root));
    while (!open.isEmpty()) {
      Object next = open.remove(open.size() - 1);
      if (seen.containsKey(next)) {
        continue;
      }
      List<Object> parts = parts(next);
      seen.put(next, parts);
      for (Object part : parts) {
        if (part instanceof Block
            || part instanceof PairList
            || part instanceof Iterable
            || part instanceof Map
            || part instanceof Object[]) {
          open.add(part);
        }
      }
    }
    return seen;
  }

  private static List<Object> parts(Object owner) throws IllegalAccessException {
    List<Object> parts = new ArrayList<>();
    if (owner instanceof Object[] array) {
      parts.addAll(Arrays.asList(array));
    } else if (owner instanceof Map<?, ?> map) {
      parts.addAll(map.values());
    } else if (owner instanceof Iterable<?> list && !(owner instanceof PairList)) {
      list.forEach(parts::add);
    } else {
      for (Class<?> c = owner.getClass(); c != Object.class; c = c.getSuperclass()) {
        for (Field field : c.getDeclaredFields()) {
          if (!Modifier.isStatic(field.getModifiers()) && !field.getType().isPrimitive()) {
            field.setAccessible(true);
            parts.add(String.valueOf(field.getName()));
            Object value = field.get(owner);
            parts.add(value == null ? "null" : value);
          }
        }
      }
    }
    return parts;
  }

  private static List<String> differences(
      IdentityHashMap<Object, List<Object>> before, IdentityHashMap<Object, List<Object>> after) {
    List<String> found = new ArrayList<>();
    before.forEach(
        (owner, parts) -> {
          List<Object> now = after.get(owner);
          if (now == null) {
            found.add("lost " + owner.getClass());
            return;
          }
          for (int j = 0; j < parts.size(); j++) {
            Object was = parts.get(j);
            Object is = now.get(j);
            if (was != is && !(was instanceof String && was.equals(is))) {
              found.add(owner.getClass() + " " + (j > 0 ? parts.get(j - 1) : "") + " " + j);
            }
          }
        });
    return found;
  }

  /** A block that is a thread as well. */
  private static final class ThreadBlock extends Thread implements Block {
    private final Block inner = LambdaBlock.singleton(x -> x);

    @Override
    public NDList forward(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      return inner.forward(store, inputs, training, params);
    }

    @Override
    public void setInitializer(Initializer initializer, Parameter.Type type) {}

    @Override
    public void setInitializer(Initializer initializer, String paramName) {}

    @Override
    public void setInitializer(Initializer initializer, Predicate<Parameter> predicate) {}

    @Override
    public void initialize(NDManager parent, DataType type, Shape... shapes) {}

    @Override
    public boolean isInitialized() {
      return true;
    }

    @Override
    public void cast(DataType type) {}

    @Override
    public void clear() {}

    @Override
    public PairList<String, Shape> describeInput() {
      return inner.describeInput();
    }

    @Override
    public BlockList getChildren() {
      return inner.getChildren();
    }

    @Override
    public ParameterList getDirectParameters() {
      return inner.getDirectParameters();
    }

    @Override
    public ParameterList getParameters() {
      return inner.getParameters();
    }

    @Override
    public Shape[] getOutputShapes(Shape[] shapes) {
      return shapes;
    }

    @Override
    public Shape[] getInputShapes() {
      return inner.getInputShapes();
    }

    @Override
    public DataType[] getOutputDataTypes() {
      return inner.getOutputDataTypes();
    }

    @Override
    public void saveParameters(DataOutputStream os) {}

    @Override
    public void loadParameters(NDManager parent, java.io.DataInputStream is) {}
  }

  /** Keeps layers in every place a block can keep them. */
  private static final class Hoarder extends AbstractBlock {
    static final int LAYERS = 14;

    private final Linear field;
    private final Block asBlock;
    private final List<Block> list = new ArrayList<>();
    private final List<Block> fixedList;
    private final List<List<Block>> nested;
    private final Block[] array = new Block[1];
    private final Block[][] matrix = new Block[1][1];
    private final Map<String, Block> map = new LinkedHashMap<>();
    private final Map<String, Block> fixedMap;
    private final Map<String, List<Block>> mapOfLists;
    private final Set<Block> set = new LinkedHashSet<>();
    private final Set<Block> fixedSet;
    private final Object untyped;
    private final SequentialBlock chain = new SequentialBlock();

    Hoarder() {
      field = add("field", Recipe.linear(4));
      asBlock = add("asBlock", Recipe.linear(4));
      list.add(add("list", Recipe.linear(4)));
      fixedList = List.of(add("fixedList", Recipe.linear(4)));
      nested = List.of(List.of(add("nested", Recipe.linear(4))));
      array[0] = add("array", Recipe.linear(4));
      matrix[0][0] = add("matrix", Recipe.linear(4));
      map.put("x", add("map", Recipe.linear(4)));
      fixedMap = Map.of("x", add("fixedMap", Recipe.linear(4)));
      mapOfLists = Map.of("x", List.of(add("mapOfLists", Recipe.linear(4))));
      set.add(add("set", Recipe.linear(4)));
      fixedSet = Set.of(add("fixedSet", Recipe.linear(4)));
      untyped = add("untyped", Recipe.linear(4));
      chain.add(Recipe.linear(4));
      add("chain", chain);
    }

    private <B extends Block> B add(String name, B block) {
      return addChildBlock(name, block);
    }

    private List<Block> inOrder() {
      List<Block> all = new ArrayList<>(List.of(field, asBlock));
      all.addAll(list);
      all.addAll(fixedList);
      all.addAll(nested.get(0));
      all.add(array[0]);
      all.add(matrix[0][0]);
      all.addAll(map.values());
      all.addAll(fixedMap.values());
      all.addAll(mapOfLists.values().iterator().next());
      all.addAll(set);
      all.addAll(fixedSet);
      all.add((Block) untyped);
      all.add(chain);
      return all;
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray h = inputs.head();
      for (Block layer : inOrder()) {
        NDArray y = layer.forward(store, new NDList(h), training).head();
        h = h.add(y.tanh().mul(0.3f));
      }
      return new NDList(h);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }

    @Override
    protected void initializeChildBlocks(NDManager parent, DataType type, Shape... shapes) {
      inOrder().forEach(layer -> layer.initialize(parent, type, shapes));
    }
  }
}
