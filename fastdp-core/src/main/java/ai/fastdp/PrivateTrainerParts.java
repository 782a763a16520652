/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.ndarray.NDManager;
import ai.fastdp.accounting.PrivacyLedger;
import ai.fastdp.clipping.Clipper;
import ai.fastdp.hook.HookedModel;
import ai.fastdp.mechanism.NoiseMechanism;
import ai.fastdp.sampling.PoissonSampler;
import ai.fastdp.sampling.SequenceLengths;
import org.jspecify.annotations.Nullable;

/**
 * What {@link PrivacyEngine} puts together and {@link PrivateTrainer} runs; all native memory is
 * under the manager.
 */
record PrivateTrainerParts(
    NDManager manager,
    PrivacyPlan plan,
    PerformanceOptions options,
    PerSampleLoss loss,
    MeanLoss meanLoss,
    TrainableParameters trainable,
    HookedModel hooks,
    BookKeeper bookKeeper,
    Replicas replicas,
    Clipper clipper,
    ReleaseUnits units,
    NoiseMechanism mechanism,
    PrivacyLedger ledger,
    PoissonSampler sampler,
    DpOptimizer optimizer,
    boolean selfCheck,
    @Nullable SequenceLengths padTo,
    LongRun run) {}
