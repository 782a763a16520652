/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Model;
import ai.djl.modality.nlp.DefaultVocabulary;
import ai.djl.modality.nlp.embedding.TrainableWordEmbedding;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.convolutional.Conv1d;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.convolutional.Conv3d;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Linear;
import ai.djl.nn.core.LinearCollection;
import ai.djl.nn.core.Multiplication;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.recurrent.GRU;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.nn.recurrent.RNN;
import ai.djl.nn.transformer.IdEmbedding;
import ai.djl.nn.transformer.ScaledDotProductAttentionBlock;
import ai.fastdp.loss.PerSampleLoss;
import ai.fastdp.nn.AddedParameter;
import ai.fastdp.nn.FrozenBatchNorm;
import ai.fastdp.nn.GroupNorm;
import ai.fastdp.nn.InstanceNorm;
import ai.fastdp.nn.RMSNorm;
import ai.fastdp.nn.TiedLinear;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** The models and batches on which the engine must be exact. */
@SuppressWarnings("ImmutableEnumChecker") // Nobody writes to the arrays.
enum Recipe {
  LINEAR_RANK_2(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", linear(7), 5)
              .part("b", linear(4), 7),
      new long[] {5},
      new long[] {4},
      0),
  LINEAR_RANK_3(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", linear(7), 6, 5)
              .part("b", linear(4), 6, 7),
      new long[] {6, 5},
      new long[] {6, 4},
      0),
  LINEAR_RANK_4(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", linear(7), 2, 3, 5)
              .part("b", linear(4), 2, 3, 7),
      new long[] {2, 3, 5},
      new long[] {2, 3, 4},
      0),
  LINEAR_RANK_4_TO_RANK_2(
      () ->
          new Wiring(
                  (call, x) ->
                      call.run(
                          "b",
                          Activation.tanh(call.run("a", x)).reshape(x.getShape().get(0), 6 * 7)))
              .part("a", linear(7), 2, 3, 5)
              .part("b", linear(4), 6 * 7),
      new long[] {2, 3, 5},
      new long[] {4},
      0),
  LINEAR_WITHOUT_BIAS(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", plainLinear(7), 3, 5)
              .part("b", plainLinear(4), 3, 7),
      new long[] {3, 5},
      new long[] {3, 4},
      0),
  LINEAR_ONE_POSITION(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", linear(7), 1, 5)
              .part("b", linear(4), 1, 7),
      new long[] {1, 5},
      new long[] {1, 4},
      0),
  LINEAR_MANY_POSITIONS(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", linear(3), 40, 2)
              .part("b", linear(2), 40, 3),
      new long[] {40, 2},
      new long[] {40, 2},
      0),
  LINEAR_WIDE(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", linear(48), 4, 40)
              .part("b", linear(36), 4, 48),
      new long[] {4, 40},
      new long[] {4, 36},
      0),
  LINEAR_SUBCLASS(
      () -> new Wiring((call, x) -> call.run("a", x)).part("a", new NamedLinear(4), 3, 5),
      new long[] {3, 5},
      new long[] {3, 4},
      0),
  BIAS_ONLY(
      () ->
          frozenExcept(
              Parameter.Type.BIAS,
              new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
                  .part("a", linear(7), 6, 5)
                  .part("b", linear(4), 6, 7)),
      new long[] {6, 5},
      new long[] {6, 4},
      0),
  WEIGHT_ONLY(
      () ->
          frozenExcept(
              Parameter.Type.WEIGHT,
              new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
                  .part("a", linear(7), 6, 5)
                  .part("b", linear(4), 6, 7)),
      new long[] {6, 5},
      new long[] {6, 4},
      0),
  FROZEN_FIRST_LAYER(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", frozen(linear(7)), 6, 5)
              .part("b", linear(4), 6, 7),
      new long[] {6, 5},
      new long[] {6, 4},
      0),
  FROZEN_LAST_LAYER(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", linear(7), 6, 5)
              .part("b", frozen(linear(4)), 6, 7),
      new long[] {6, 5},
      new long[] {6, 4},
      0),
  WORD_EMBEDDING(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", wordEmbedding(5, 3), 7)
              .part("b", linear(4), 7, 3),
      new long[] {7},
      new long[] {7, 4},
      5),
  OWN_EMBEDDING(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", new ColorEmbedding(5, 3), 7)
              .part("b", linear(4), 7, 3),
      new long[] {7},
      new long[] {7, 4},
      5),
  ID_EMBEDDING(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", idEmbedding(5, 3), 7)
              .part("b", linear(4), 7, 3),
      new long[] {7},
      new long[] {7, 4},
      5),
  ID_EMBEDDING_TWO_AXES(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", idEmbedding(4, 3), 2, 3)
              .part("b", linear(4), 2, 3, 3),
      new long[] {2, 3},
      new long[] {2, 3, 4},
      4),
  EMBEDDING_USED_TWICE(
      () ->
          new Wiring(
                  (call, x) ->
                      call.run("a", x).add(call.run("a", x.add(1).mod(5)).mul(0.5f)).tanh())
              .part("a", idEmbedding(5, 3), 7),
      new long[] {7},
      new long[] {7, 3},
      5),
  WORD_EMBEDDING_USED_TWICE(
      () ->
          new Wiring(
                  (call, x) ->
                      call.run("a", x).add(call.run("a", x.add(1).mod(5)).mul(0.5f)).tanh())
              .part("a", wordEmbedding(5, 3), 7),
      new long[] {7},
      new long[] {7, 3},
      5),
  LAYER_NORM_LAST_AXIS(() -> layerNorm(LayerNorm.builder().axis(2).build(), 6, 5), 6, 5),
  LAYER_NORM_ALL_AXES(() -> layerNorm(LayerNorm.builder().build(), 6, 5), 6, 5),
  // DJL takes the axes' lengths and normalises over the last axes of these lengths.
  LAYER_NORM_MIDDLE_AXIS(() -> layerNorm(LayerNorm.builder().axis(1).build(), 5, 5), 5, 5),
  LAYER_NORM_RANK_4(() -> layerNorm(LayerNorm.builder().axis(2, 3).build(), 2, 3, 5), 2, 3, 5),
  LAYER_NORM_SCALE_ONLY(
      () -> layerNorm(LayerNorm.builder().axis(2).optCenter(false).build(), 6, 5), 6, 5),
  LAYER_NORM_CENTER_ONLY(
      () -> layerNorm(LayerNorm.builder().axis(2).optScale(false).build(), 6, 5), 6, 5),
  LAYER_NORM_WITHOUT_BOTH(
      () -> layerNorm(LayerNorm.builder().axis(2).optScale(false).optCenter(false).build(), 6, 5),
      6,
      5),
  LAYER_NORM_OWN_EPSILON(
      () -> layerNorm(LayerNorm.builder().axis(2).optEpsilon(0.3f).build(), 6, 5), 6, 5),
  LAYER_NORM_USED_TWICE(
      () ->
          new Wiring((call, x) -> call.run("n", call.run("a", call.run("n", x)).tanh()))
              .part("n", LayerNorm.builder().axis(2).build(), 6, 5)
              .part("a", linear(5), 6, 5),
      6,
      5),
  LINEAR_USED_TWICE(
      () ->
          new Wiring((call, x) -> call.run("a", call.run("a", x).tanh()))
              .part("a", linear(5), 6, 5),
      6,
      5),
  LINEAR_USED_THREE_TIMES(
      () ->
          new Wiring((call, x) -> call.run("a", call.run("a", call.run("a", x).tanh()).tanh()))
              .part("a", linear(5), 6, 5),
      6,
      5),
  LINEAR_USED_TWICE_AT_OTHER_RANKS(
      () ->
          new Wiring((call, x) -> call.run("a", call.run("a", x).tanh().sum(new int[] {1})).tanh())
              .part("a", linear(5), 6, 5),
      new long[] {6, 5},
      new long[] {5},
      0),
  WEIGHT_IN_TWO_LAYERS(
      () -> {
        Linear first = plainLinear(5);
        return new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
            .part("a", first, 6, 5)
            .part("b", new TiedLinear(first), 6, 5);
      },
      6,
      5),
  WEIGHT_IN_THREE_LAYERS(
      () -> {
        Linear first = plainLinear(5);
        return new Wiring((call, x) -> call.run("c", call.run("b", call.run("a", x)).tanh()))
            .part("a", first, 6, 5)
            .part("b", new TiedLinear(first), 6, 5)
            .part("c", new TiedLinear(first), 6, 5);
      },
      6,
      5),
  TIED_HEAD(
      () -> {
        IdEmbedding table = idEmbedding(5, 3);
        return new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
            .part("a", table, 7)
            .part("b", new TiedLinear(table), 7, 3);
      },
      new long[] {7},
      new long[] {7, 5},
      5),
  TIED_HEAD_ON_WORD_EMBEDDING(
      () -> {
        Block table = wordEmbedding(5, 3);
        return new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
            .part("a", table, 7)
            .part("b", new TiedLinear(table), 7, 3);
      },
      new long[] {7},
      new long[] {7, 5},
      5),
  TIED_HEAD_ALL_USED_TWICE(
      () -> {
        IdEmbedding table = idEmbedding(5, 3);
        return new Wiring(
                (call, x) -> {
                  NDArray h = call.run("a", x).add(call.run("a", x.add(2).mod(5))).tanh();
                  return call.run("b", h).add(call.run("b", h.square()));
                })
            .part("a", table, 7)
            .part("b", new TiedLinear(table), 7, 3);
      },
      new long[] {7},
      new long[] {7, 5},
      5),
  CONV_1D(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", conv1d(5, 3, 1, 1, 1, 1, true), 3, 9)
              .part("b", conv1d(4, 2, 2, 0, 1, 1, true), 5, 9),
      new long[] {3, 9},
      new long[] {4, 4},
      0),
  CONV_1D_DILATED_GROUPS(
      () ->
          new Wiring((call, x) -> call.run("a", x).tanh())
              .part("a", conv1d(6, 3, 2, 3, 2, 2, false), 4, 11),
      new long[] {4, 11},
      new long[] {6, 7},
      0),
  CONV_2D(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", conv2d(5, 3, 1, 1, 1, 1, true), 3, 6, 7)
              .part("b", conv2d(4, 3, 2, 1, 1, 1, true), 5, 6, 7),
      new long[] {3, 6, 7},
      new long[] {4, 3, 4},
      0),
  CONV_2D_WITHOUT_BIAS(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", conv2d(5, 3, 1, 1, 1, 1, false), 3, 6, 7)
              .part("b", conv2d(4, 1, 2, 0, 1, 1, false), 5, 6, 7),
      new long[] {3, 6, 7},
      new long[] {4, 3, 4},
      0),
  CONV_2D_GROUPS_AND_DILATION(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", conv2d(6, 3, 1, 2, 2, 2, true), 4, 6, 7)
              .part("b", conv2d(9, 3, 2, 2, 3, 3, true), 6, 6, 7),
      new long[] {4, 6, 7},
      new long[] {9, 2, 3},
      0),
  CONV_2D_DEPTHWISE(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", conv2d(4, 3, 1, 1, 1, 4, true), 4, 6, 7)
              .part("b", conv2d(8, 3, 1, 0, 1, 4, true), 4, 6, 7),
      new long[] {4, 6, 7},
      new long[] {8, 4, 5},
      0),
  CONV_2D_DEEP(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", conv2d(48, 3, 1, 1, 1, 1, true), 32, 3, 3)
              .part("b", conv2d(64, 3, 2, 1, 1, 2, true), 48, 3, 3),
      new long[] {32, 3, 3},
      new long[] {64, 2, 2},
      0),
  CONV_2D_ONE_POSITION(
      () ->
          new Wiring((call, x) -> call.run("a", x).tanh())
              .part("a", conv2d(5, 3, 1, 0, 1, 1, true), 3, 3, 3),
      new long[] {3, 3, 3},
      new long[] {5, 1, 1},
      0),
  CONV_2D_BIAS_ONLY(
      () ->
          frozenExcept(
              Parameter.Type.BIAS,
              new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
                  .part("a", conv2d(5, 3, 1, 1, 1, 1, true), 3, 6, 7)
                  .part("b", conv2d(4, 3, 2, 1, 1, 1, true), 5, 6, 7)),
      new long[] {3, 6, 7},
      new long[] {4, 3, 4},
      0),
  CONV_2D_USED_TWICE(
      () ->
          new Wiring((call, x) -> call.run("a", call.run("a", x).tanh()))
              .part("a", conv2d(3, 3, 2, 1, 1, 1, true), 3, 9, 8),
      new long[] {3, 9, 8},
      new long[] {3, 3, 2},
      0),
  CONV_2D_DEEP_USED_TWICE(
      () ->
          new Wiring((call, x) -> call.run("a", call.run("a", x).tanh()))
              .part("a", conv2d(64, 3, 1, 1, 1, 1, true), 64, 2, 2),
      new long[] {64, 2, 2},
      new long[] {64, 2, 2},
      0),
  CONV_3D(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", conv3d(4, 2, true), 2, 3, 4, 3)
              .part("b", conv3d(2, 1, false), 4, 3, 4, 3),
      new long[] {2, 3, 4, 3},
      new long[] {2, 3, 4, 3},
      0),
  GROUP_NORM(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("n", call.run("a", x)).tanh()))
              .part("a", conv2d(6, 3, 1, 1, 1, 1, true), 3, 5, 4)
              .part("n", GroupNorm.builder().setGroups(2).build(), 6, 5, 4)
              .part("b", conv2d(4, 3, 1, 0, 1, 1, true), 6, 5, 4),
      new long[] {3, 5, 4},
      new long[] {4, 3, 2},
      0),
  GROUP_NORM_RANK_2(
      () ->
          new Wiring((call, x) -> call.run("n", call.run("a", x)).tanh())
              .part("a", linear(6), 3)
              .part("n", GroupNorm.builder().setGroups(3).optEpsilon(0.1f).build(), 6),
      new long[] {3},
      new long[] {6},
      0),
  GROUP_NORM_USED_TWICE(
      () ->
          new Wiring((call, x) -> call.run("n", call.run("a", call.run("n", x)).tanh()))
              .part("a", conv2d(6, 3, 1, 1, 1, 1, true), 6, 5, 4)
              .part("n", GroupNorm.builder().setGroups(2).build(), 6, 5, 4),
      new long[] {6, 5, 4},
      new long[] {6, 5, 4},
      0),
  GROUP_NORM_SCALE_ONLY(
      () ->
          new Wiring((call, x) -> call.run("n", call.run("a", x)).tanh())
              .part("a", conv2d(6, 3, 1, 1, 1, 1, true), 6, 5, 4)
              .part("n", GroupNorm.builder().setGroups(2).optCenter(false).build(), 6, 5, 4),
      new long[] {6, 5, 4},
      new long[] {6, 5, 4},
      0),
  GROUP_NORM_CENTER_ONLY(
      () ->
          new Wiring((call, x) -> call.run("n", call.run("a", x)).tanh())
              .part("a", conv2d(6, 3, 1, 1, 1, 1, true), 6, 5, 4)
              .part("n", GroupNorm.builder().setGroups(2).optScale(false).build(), 6, 5, 4),
      new long[] {6, 5, 4},
      new long[] {6, 5, 4},
      0),
  INSTANCE_NORM(
      () ->
          // A bias before it would have no gradient.
          new Wiring((call, x) -> call.run("n", call.run("a", x)).tanh())
              .part("a", conv2d(6, 3, 1, 1, 1, 1, false), 3, 5, 4)
              .part("n", InstanceNorm.builder().build(), 6, 5, 4),
      new long[] {3, 5, 4},
      new long[] {6, 5, 4},
      0),
  RMS_NORM(() -> rmsNorm(6, 5), 6, 5),
  RMS_NORM_RANK_2(() -> rmsNorm(5), 5),
  RMS_NORM_RANK_4(() -> rmsNorm(2, 3, 5), 2, 3, 5),
  RMS_NORM_USED_TWICE(
      () ->
          new Wiring((call, x) -> call.run("n", call.run("a", call.run("n", x)).tanh()))
              .part("n", RMSNorm.builder().build(), 6, 5)
              .part("a", linear(5), 6, 5),
      6,
      5),
  FROZEN_BATCH_NORM(
      () ->
          new Wiring((call, x) -> call.run("n", call.run("a", x)).tanh())
              .part("a", conv2d(6, 3, 1, 1, 1, 1, true), 3, 5, 4)
              .part("n", FrozenBatchNorm.builder().optEpsilon(0.1f).build(), 6, 5, 4),
      new long[] {3, 5, 4},
      new long[] {6, 5, 4},
      0),
  FROZEN_BATCH_NORM_RANK_2(
      () ->
          new Wiring((call, x) -> call.run("n", call.run("a", x)).tanh())
              .part("a", linear(6), 3)
              .part("n", FrozenBatchNorm.builder().build(), 6),
      new long[] {3},
      new long[] {6},
      0),
  FROZEN_BATCH_NORM_USED_TWICE(
      () ->
          new Wiring((call, x) -> call.run("n", call.run("a", call.run("n", x)).tanh()))
              .part("a", conv2d(6, 3, 1, 1, 1, 1, true), 6, 5, 4)
              .part("n", FrozenBatchNorm.builder().build(), 6, 5, 4),
      new long[] {6, 5, 4},
      new long[] {6, 5, 4},
      0),
  LINEAR_COLLECTION(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", LinearCollection.builder().setUnits(4).build(), 3, 5)
              .part("b", LinearCollection.builder().setUnits(2).optBias(false).build(), 3, 4),
      new long[] {3, 5},
      new long[] {3, 2},
      0),
  LINEAR_COLLECTION_TWO_AXES(
      () ->
          new Wiring((call, x) -> call.run("a", x).tanh())
              .part("a", LinearCollection.builder().setUnits(4).build(), 2, 3, 5),
      new long[] {2, 3, 5},
      new long[] {2, 3, 4},
      0),
  LINEAR_COLLECTION_USED_TWICE(
      () ->
          new Wiring((call, x) -> call.run("a", call.run("a", x).tanh()))
              .part("a", LinearCollection.builder().setUnits(5).build(), 3, 5),
      new long[] {3, 5},
      new long[] {3, 5},
      0),
  MULTIPLICATION(
      () ->
          new Wiring(
                  (call, x) ->
                      call.run("b", call.run("m", call.run("a", x)).sum(new int[] {0}).tanh()))
              .part("a", linear(5), 3, 5)
              .part("m", Multiplication.builder().setUnits(4).build(), 3, 5)
              .part("b", linear(2), 3, 5),
      new long[] {3, 5},
      new long[] {3, 2},
      0),
  MULTIPLICATION_AS_MANY_UNITS_AS_SAMPLES(
      () ->
          new Wiring((call, x) -> call.run("m", x).transpose(1, 0, 2).tanh())
              .part("m", Multiplication.builder().setUnits(7).build(), 5),
      new long[] {5},
      new long[] {7, 5},
      0),
  LINEAR_RANK_5(
      () ->
          new Wiring((call, x) -> call.run("b", Activation.tanh(call.run("a", x))))
              .part("a", linear(7), 2, 3, 2, 5)
              .part("b", linear(4), 2, 3, 2, 7),
      new long[] {2, 3, 2, 5},
      new long[] {2, 3, 2, 4},
      0),
  ADDED_PARAMETER(() -> added(new Shape(6, 5)), 6, 5),
  ADDED_PARAMETER_TO_EVERY_POSITION(() -> added(new Shape(5)), 6, 5),
  ADDED_PARAMETER_TO_ONE_AXIS(() -> added(new Shape(6, 1)), 6, 5),
  ADDED_PARAMETER_USED_TWICE(
      () ->
          new Wiring((call, x) -> call.run("p", call.run("p", x).tanh()))
              .part("p", AddedParameter.builder().setShape(new Shape(6, 1)).build(), 6, 5),
      6,
      5),
  RNN_CELL(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part(
                  "a",
                  RNN.builder()
                      .setActivation(RNN.Activation.TANH)
                      .setStateSize(5)
                      .setNumLayers(2)
                      .build(),
                  6,
                  4)
              .part("b", linear(3), 6, 5),
      new long[] {6, 4},
      new long[] {6, 3},
      0),
  LSTM_CELL(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", LSTM.builder().setStateSize(5).setNumLayers(2).build(), 6, 4)
              .part("b", linear(3), 6, 5),
      new long[] {6, 4},
      new long[] {6, 3},
      0),
  GRU_CELL(
      () ->
          new Wiring((call, x) -> call.run("b", call.run("a", x).tanh()))
              .part("a", GRU.builder().setStateSize(5).setNumLayers(2).build(), 6, 4)
              .part("b", linear(3), 6, 5),
      new long[] {6, 4},
      new long[] {6, 3},
      0),
  HEAD_REGISTERED_FIRST(
      () ->
          new Wiring((call, x) -> call.run("head", call.run("body", x).tanh()))
              .part("head", linear(4), 7)
              .part("body", linear(7), 5),
      new long[] {5},
      new long[] {4},
      0),
  MULTI_HEAD_ATTENTION(() -> attention(8, 2, 6), 6, 8),
  TRANSFORMER(() -> new TinyTransformer(31, 8, 12, 2), new long[] {8}, new long[] {8}, 31);

  private final Supplier<Block> block;
  private final long[] input;
  private final long[] label;
  private final int ids;

  Recipe(Supplier<Block> block, long... shape) {
    this(block, shape, shape, 0);
  }

  /**
   * @param ids the number of ids where the input is made of ids, else 0
   */
  Recipe(Supplier<Block> block, long[] input, long[] label, int ids) {
    this.block = block;
    this.input = input;
    this.label = label;
    this.ids = ids;
  }

  /** A model with reproducible weights. */
  Model model() {
    Model model = OneStep.model(block.get());
    Block root = model.getBlock();
    NDManager manager = model.getNDManager();
    root.initialize(manager, DataType.FLOAT32, new Shape(1).addAll(new Shape(input)));
    Random random = new Random(17);
    for (Parameter parameter : root.getParameters().values()) {
      float[] values = new float[Math.toIntExact(parameter.getArray().size())];
      for (int j = 0; j < values.length; j++) {
        values[j] = 0.4f * (float) random.nextGaussian();
      }
      if (parameter.getName().equals("gamma") && parameter.requiresGradient()) {
        for (int j = 0; j < values.length; j++) {
          values[j] += 1;
        }
      }
      if (parameter.getName().equals("runningVar")) {
        for (int j = 0; j < values.length; j++) {
          values[j] = 0.2f + Math.abs(values[j]);
        }
      }
      parameter.getArray().set(values);
    }
    return model;
  }

  NDList data(NDManager manager, int samples) {
    long[] shape = withSamples(input, samples);
    return new NDList(
        ids > 0 ? OneStep.ids(manager, 3, ids, shape) : OneStep.normal(manager, 3, 1, shape));
  }

  NDList labels(NDManager manager, int samples) {
    long[] shape = withSamples(label, samples);
    return new NDList(
        this == TRANSFORMER
            ? OneStep.ids(manager, 4, ids, shape)
            : OneStep.normal(manager, 4, 1, shape));
  }

  PerSampleLoss loss() {
    return this == TRANSFORMER ? PerSampleLoss.sequenceCrossEntropy() : new SquaredError();
  }

  private static long[] withSamples(long[] shape, int samples) {
    long[] whole = new long[shape.length + 1];
    whole[0] = samples;
    System.arraycopy(shape, 0, whole, 1, shape.length);
    return whole;
  }

  static Conv1d conv1d(
      int filters, int kernel, int stride, int padding, int dilation, int groups, boolean bias) {
    return Conv1d.builder()
        .setFilters(filters)
        .setKernelShape(new Shape(kernel))
        .optStride(new Shape(stride))
        .optPadding(new Shape(padding))
        .optDilation(new Shape(dilation))
        .optGroups(groups)
        .optBias(bias)
        .build();
  }

  static Conv2d conv2d(
      int filters, int kernel, int stride, int padding, int dilation, int groups, boolean bias) {
    return Conv2d.builder()
        .setFilters(filters)
        .setKernelShape(new Shape(kernel, kernel))
        .optStride(new Shape(stride, stride))
        .optPadding(new Shape(padding, padding))
        .optDilation(new Shape(dilation, dilation))
        .optGroups(groups)
        .optBias(bias)
        .build();
  }

  /** A kernel with a size of its own in each dimension; the output is as large as the input. */
  static Conv3d conv3d(int filters, int groups, boolean bias) {
    return Conv3d.builder()
        .setFilters(filters)
        .setKernelShape(new Shape(1, 3, 3))
        .optPadding(new Shape(0, 1, 2))
        .optDilation(new Shape(1, 1, 2))
        .optGroups(groups)
        .optBias(bias)
        .build();
  }

  static Linear linear(long units) {
    return Linear.builder().setUnits(units).build();
  }

  static Linear plainLinear(long units) {
    return Linear.builder().setUnits(units).optBias(false).build();
  }

  static IdEmbedding idEmbedding(int rows, int width) {
    return new IdEmbedding.Builder().setDictionarySize(rows).setEmbeddingSize(width).build();
  }

  static TrainableWordEmbedding wordEmbedding(int rows, int width) {
    List<String> words = IntStream.range(0, rows).mapToObj(i -> "w" + i).toList();
    return TrainableWordEmbedding.builder()
        .setVocabulary(new DefaultVocabulary(words))
        .optNumEmbeddings(rows)
        .setEmbeddingSize(width)
        .optUseDefault(true)
        .build();
  }

  private static Block layerNorm(LayerNorm norm, long... shape) {
    return new Wiring((call, x) -> call.run("b", call.run("n", call.run("a", x)).tanh()))
        .part("a", linear(shape[shape.length - 1]), shape)
        .part("n", norm, shape)
        .part("b", linear(shape[shape.length - 1]), shape);
  }

  private static Block rmsNorm(long... shape) {
    return new Wiring((call, x) -> call.run("n", call.run("a", x)).tanh())
        .part("a", linear(shape[shape.length - 1]), shape)
        .part("n", RMSNorm.builder().optEpsilon(0.01f).build(), shape);
  }

  private static Block added(Shape shape) {
    return new Wiring((call, x) -> call.run("b", call.run("p", call.run("a", x)).tanh()))
        .part("a", linear(5), 6, 5)
        .part("p", AddedParameter.builder().setShape(shape).build(), 6, 5)
        .part("b", linear(5), 6, 5);
  }

  private static Block attention(int width, int heads, long positions) {
    ScaledDotProductAttentionBlock attention =
        ScaledDotProductAttentionBlock.builder()
            .setEmbeddingSize(width)
            .setHeadCount(heads)
            .optAttentionProbsDropoutProb(0)
            .build();
    // A shift of all keys changes nothing: its gradient is rounding.
    attention.getKeyProjection().getDirectParameters().get("bias").freeze(true);
    return new Wiring((call, x) -> call.run("attention", call.run("a", x)))
        .part("a", linear(width), positions, width)
        .part("attention", attention, positions, width);
  }

  static <B extends Block> B frozen(B block) {
    block.freezeParameters(true);
    return block;
  }

  private static Block frozenExcept(Parameter.Type type, Block block) {
    block.freezeParameters(true);
    block.freezeParameters(false, parameter -> parameter.getType() == type);
    return block;
  }

  /** A subclass that leaves the forward function alone. */
  static class NamedLinear extends Linear {
    NamedLinear(long units) {
      super(builder().setUnits(units));
    }

    @Override
    public String toString() {
      return "NamedLinear" + Arrays.toString(getOutputShapes(getInputShapes()));
    }
  }

  /** An embedding of a user's own kind of items. */
  static class ColorEmbedding extends Embedding<Integer> {
    ColorEmbedding(int rows, int width) {
      super(new Builder().optNumEmbeddings(rows).setEmbeddingSize(width));
    }

    @Override
    public boolean hasItem(Integer item) {
      return true;
    }

    @Override
    public long embed(Integer item) {
      return item;
    }

    @Override
    public Optional<Integer> unembed(long index) {
      return Optional.of((int) index);
    }

    @Override
    public byte[] encode(Integer input) {
      return new byte[] {input.byteValue()};
    }

    @Override
    public Integer decode(byte[] bytes) {
      return (int) bytes[0];
    }

    private static final class Builder extends BaseBuilder<Integer, Builder> {
      @Override
      protected Builder setType(Class<Integer> type) {
        embeddingType = type;
        return this;
      }

      @Override
      protected Builder self() {
        return this;
      }
    }
  }
}
