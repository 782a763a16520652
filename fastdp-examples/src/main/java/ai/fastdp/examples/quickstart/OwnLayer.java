/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.examples.quickstart;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.PairList;
import ai.fastdp.PrivacyEngine;
import ai.fastdp.PrivateTrainer;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.optim.DpAdamW;
import ai.fastdp.plan.PrivacyPlan;
import ai.fastdp.rule.GhostRule;
import ai.fastdp.sampling.PrivateBatch;

/** Trains a model with a layer that fastdp does not know, by a rule for its gradients. */
public final class OwnLayer {
  private OwnLayer() {}

  /**
   * Multiplies every column by a weight: y = x * w, for inputs (B, d) and weights (d). Not final,
   * so that it can be watched.
   */
  static class ColumnWeights extends AbstractBlock {
    private final Parameter weights =
        addParameter(
            Parameter.builder()
                .setName("weights")
                .setType(Parameter.Type.WEIGHT)
                .optInitializer(Initializer.ONES)
                .build());

    @Override
    protected void prepare(Shape[] inputs) {
      weights.setShape(new Shape(inputs[0].get(1)));
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray x = inputs.head();
      return new NDList(x.mul(store.getValue(weights, x.getDevice(), training)));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
      return inputs;
    }
  }

  /** The gradient of w for each sample is x * dL/dy. fastdp compares it with back-propagation. */
  static final GhostRule RULE =
      (use, outputGradient, gradients) ->
          gradients.addDense(
              ((ColumnWeights) use.block()).weights, use.requireInput().mul(outputGradient));

  /**
   * Trains the model and prints the weights of its columns, of which the first alone matters.
   *
   * @param args none
   * @throws Exception if files or data cannot be used
   */
  public static void main(String[] args) throws Exception {
    PrivacyPlan plan =
        PrivacyPlan.builder()
            .setDatasetSize(2_000)
            .setBatchSize(200)
            .setEpochs(10)
            .setBudget(new PrivacyBudget(3.0, 1e-5))
            .setClipNorm(1.0)
            .build();
    PrivacyEngine engine = PrivacyEngine.builder(plan).addRule(ColumnWeights.class, RULE).build();
    ColumnWeights columns = new ColumnWeights();
    try (NDManager data = NDManager.newBaseManager("PyTorch");
        Model model = Model.newInstance("columns", "PyTorch")) {
      model.setBlock(new SequentialBlock().add(columns).add(Linear.builder().setUnits(2).build()));
      NDArray table = data.randomNormal(new Shape(2_000, 4));
      NDArray labels = table.get(":, 0").gt(0).toType(DataType.INT64, false);
      ArrayDataset dataset =
          new ArrayDataset.Builder()
              .setData(table)
              .optLabels(labels)
              .setSampling(200, true)
              .build();
      DpAdamW optimizer = DpAdamW.builder().optLearningRate(0.02f).build();
      try (PrivateTrainer trainer = engine.attach(model, optimizer)) {
        trainer.initialize(new Shape(1, 4));
        for (PrivateBatch batch : trainer.batches(dataset)) {
          trainer.trainBatch(batch);
          trainer.step();
          batch.close();
        }
      }
      System.out.println("weights of the columns: " + columns.weights.getArray());
    }
  }
}
