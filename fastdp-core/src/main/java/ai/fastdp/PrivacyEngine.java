/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp;

import ai.djl.Model;
import ai.fastdp.accounting.ledger.PrivacyLedger;
import ai.fastdp.internal.run.EngineLedger;
import ai.fastdp.internal.run.StepCharges;
import ai.fastdp.optimizer.DpOptimizer;
import ai.fastdp.plan.PrivacyPlan;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Makes the training of a DJL model differentially private.
 *
 * <pre>{@code
 * PrivateTrainer trainer = PrivacyEngine.of(plan).attach(model, optimizer);
 * }</pre>
 *
 * <p>The plan comes with the engine and the optimizer with {@code attach}: an optimizer has nothing
 * that privacy depends on. An engine has one budget. It can attach several models, one after the
 * other or at once, as for a sweep or a second phase of training; every run draws its own noise,
 * and what one run has spent is spent for all that follow.
 *
 * <p>{@code attach} hooks every layer that owns a trainable parameter. It refuses a model that it
 * cannot train exactly, naming each layer and the remedy. The model can be used for inference and
 * saved while it is attached.
 *
 * <p>A run that must survive the end of its process has its ledger in a file, {@link
 * PrivacyEngineBuilder#optLedger}, and saves checkpoints, {@link
 * PrivacyEngineBuilder#optCheckpoint}; {@link #resume} continues from the newest one.
 */
public final class PrivacyEngine {
  private final PrivacyPlan plan;
  private final EngineSettings settings;
  private final PrivacyLedger ofEngine;
  private final StepCharges charges = new StepCharges();

  PrivacyEngine(PrivacyPlan plan, EngineSettings settings) {
    this.plan = plan;
    this.settings = settings;
    settings.noise().requireUsable(plan);
    PrivacyLedger given = settings.ledger();
    ofEngine = given == null ? new EngineLedger(plan) : given;
  }

  /**
   * Makes an engine with the default settings: softmax cross-entropy, self-check on.
   *
   * @param plan what decides the privacy
   * @return the engine
   */
  public static PrivacyEngine of(PrivacyPlan plan) {
    return builder(plan).build();
  }

  /**
   * Starts an engine.
   *
   * @param plan what decides the privacy
   * @return a builder
   */
  public static PrivacyEngineBuilder builder(PrivacyPlan plan) {
    return new PrivacyEngineBuilder(plan);
  }

  /**
   * Hooks a model and returns its private trainer, for a new run.
   *
   * <p>What the engine's earlier runs have spent counts, and so does what the ledger's file holds:
   * their steps are not taken again. The run draws its noise from a fresh key.
   *
   * @param model the model, with a block; initialized now or by {@code trainer.initialize}
   * @param optimizer takes the privatized gradients; closed with the trainer
   * @return the trainer; close it to detach the model
   * @throws IllegalStateException if an engine is attached to the model already, or another engine
   *     of this process has trained it (see {@link PrivacyEngineBuilder#optOtherData})
   * @throws IllegalStateException if there is a checkpoint already, or the ledger is in use,
   *     damaged or of another plan
   * @throws IllegalArgumentException if the model cannot be trained exactly; nothing is changed
   */
  public PrivateTrainer attach(Model model, DpOptimizer optimizer) {
    Path checkpoint = settings.files().checkpoint();
    if (checkpoint != null && Files.exists(checkpoint)) {
      throw new IllegalStateException(
          "checkpoint must not exist when a run begins, got "
              + checkpoint
              + "; call resume(model, optimizer) to go on from it, or name another file");
    }
    return Attachment.attach(plan, settings, ofEngine, charges, model, optimizer, null);
  }

  /**
   * Hooks a model and returns its private trainer, which continues from the checkpoint.
   *
   * <p>Model and optimizer must be built as they were. The weights and the optimizer's state are
   * those of the checkpoint as soon as the model is initialized. Steps that were charged after the
   * checkpoint are lost: they stay charged and are not taken again. Noise and batches come from
   * fresh random sources.
   *
   * @param model the model, with a block; initialized now or by {@code trainer.initialize}
   * @param optimizer takes the privatized gradients; closed with the trainer
   * @return the trainer; close it to detach the model
   * @throws IllegalStateException if the engine has no checkpoint file, or the checkpoint is
   *     damaged, is of another plan or other parameters, is older than another checkpoint of its
   *     ledger, or has seen charges that the ledger does not hold; or for the reasons of {@link
   *     #attach(Model, DpOptimizer)}
   * @throws java.io.UncheckedIOException if the checkpoint cannot be read
   * @throws IllegalArgumentException if the model cannot be trained exactly; nothing is changed
   */
  public PrivateTrainer resume(Model model, DpOptimizer optimizer) {
    Path checkpoint = settings.files().checkpoint();
    if (checkpoint == null) {
      throw new IllegalStateException(
          "a run must have a checkpoint file to go on, got none; call optCheckpoint(file, steps) on"
              + " the engine's builder");
    }
    return Attachment.attach(plan, settings, ofEngine, charges, model, optimizer, checkpoint);
  }
}
