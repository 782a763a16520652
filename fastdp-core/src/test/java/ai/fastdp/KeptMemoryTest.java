/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.fastdp.clipping.ClippingFunction;
import ai.fastdp.internal.hook.KeptMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Numbers that a model multiplies by live in Java memory, which the garbage collector would free
 * between the forward and the backward pass.
 */
final class KeptMemoryTest {
  private static final int SAMPLES = 3;

  private final List<ByteBuffer> overwritten = new ArrayList<>();
  private boolean collecting;

  @Test
  void step_garbageCollectedBeforeTheBackwardPass_sameSum() {
    Wiring wiring =
        new Wiring(
                (call, x) -> {
                  NDArray output = x;
                  for (int i = 0; i < 20; i++) {
                    output = output.mul(1.5f);
                  }
                  output = call.run("a", output);
                  for (int i = 0; i < 20; i++) {
                    output = output.mul(0.75f);
                  }
                  if (collecting) {
                    collect();
                  }
                  return output;
                })
            .part("a", Linear.builder().setUnits(4).build(), 5);
    try (Model model = Model.newInstance("scaled", "PyTorch")) {
      model.setBlock(wiring);
      NDManager manager = model.getNDManager();
      wiring.initialize(manager, ai.djl.ndarray.types.DataType.FLOAT32, new Shape(1, 5));
      NDList data = new NDList(OneStep.normal(manager, 1, 1, SAMPLES, 5));
      NDList labels = new NDList(OneStep.normal(manager, 2, 1, SAMPLES, 4));
      IdentityHashMap<Parameter, double[]> expected = sum(model, data, labels);
      collecting = true;
      IdentityHashMap<Parameter, double[]> actual = sum(model, data, labels);
      assertThat(actual).isNotEmpty();
      actual.forEach((parameter, sum) -> assertThat(sum).containsExactly(expected.get(parameter)));
    }
  }

  private static IdentityHashMap<Parameter, double[]> sum(Model model, NDList data, NDList labels) {
    return OneStep.clippedSum(
        model,
        data,
        labels,
        new SquaredError(),
        ClippingFunction.abadi(),
        1,
        PerformanceOptions.defaults());
  }

  /** Has the memory of unreachable buffers freed and given to others. */
  private void collect() {
    for (int i = 0; i < 3; i++) {
      System.gc();
      try {
        Thread.sleep(30);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    for (int i = 0; i < 20_000; i++) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(4).order(ByteOrder.nativeOrder());
      overwritten.add(buffer.putFloat(0, 1e6f));
    }
  }

  @Test
  void newSubManager_ofAnyDepth_behavesLikeDjls() {
    try (NDManager parent = NDManager.newBaseManager("PyTorch")) {
      NDManager kept = new KeptMemory().newSubManager(parent);
      NDManager deeper = kept.newSubManager();
      NDArray array = deeper.create(new float[] {1, 2}).mul(3);
      assertThat(array.toFloatArray()).containsExactly(3, 6);
      assertThat(array.getManager()).isSameAs(deeper);
      assertThat(kept.getParentManager()).isSameAs(parent);
      assertThat(deeper.getDevice()).isEqualTo(parent.getDevice());
      assertThat(deeper.getClass()).isSameAs(kept.getClass()).isNotSameAs(parent.getClass());
      NDArray outlives = deeper.ones(new Shape(2));
      outlives.attach(parent);
      kept.close();
      assertThat(deeper.isOpen()).isFalse();
      assertThat(outlives.toFloatArray()).containsExactly(1, 1);
      assertThat(parent.isOpen()).isTrue();
      assertThat(parent.getManagedArrays()).containsExactly(outlives);
    }
  }
}
