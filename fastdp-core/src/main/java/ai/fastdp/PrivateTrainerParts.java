/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.fastdp.accounting.PrivacyLedger;
import ai.fastdp.hook.HookedModel;
import ai.fastdp.mechanism.GaussianMechanism;
import ai.fastdp.sampling.PoissonSampler;

/** What {@link PrivacyEngine} puts together and {@link PrivateTrainer} runs. */
record PrivateTrainerParts(
    PrivacyPlan plan,
    PerformanceOptions options,
    PerSampleLoss loss,
    TrainableParameters trainable,
    HookedModel hooks,
    BookKeeper bookKeeper,
    GaussianMechanism mechanism,
    PrivacyLedger ledger,
    PoissonSampler sampler,
    DpOptimizer optimizer,
    boolean selfCheck) {}
