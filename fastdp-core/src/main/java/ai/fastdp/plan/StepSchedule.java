/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.plan;

/**
 * A public function of the step number by which a number of the plan is multiplied.
 *
 * <p>It is known before the run begins: the plan asks for every step's factor once, when it is
 * built, and keeps the answers.
 */
@FunctionalInterface
public interface StepSchedule {
  /**
   * The factor of a step.
   *
   * @param step the number of logical steps before it, from 0
   * @return the factor, finite and greater than 0; 1 leaves the number as it is
   */
  double factor(long step);

  /**
   * \(\rho^t\): a constant ratio from step to step.
   *
   * @param ratio \(\rho\), finite and greater than 0
   * @return the schedule
   */
  static StepSchedule exponential(double ratio) {
    return step -> Math.pow(ratio, (double) step);
  }

  /**
   * \(\rho^{\lfloor t / n \rfloor}\): a constant ratio after every n steps.
   *
   * @param every n, at least 1
   * @param ratio \(\rho\), finite and greater than 0
   * @return the schedule
   */
  static StepSchedule staircase(long every, double ratio) {
    if (every < 1) {
      throw new IllegalArgumentException("every must be >= 1, got " + every);
    }
    return step -> Math.pow(ratio, (double) Math.floorDiv(step, every));
  }
}
