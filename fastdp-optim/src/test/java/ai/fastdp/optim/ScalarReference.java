/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.optim;

import java.util.Arrays;

/** Updates of one parameter, written out element by element in float64. */
interface ScalarReference {
  /**
   * Updates the weights once.
   *
   * @param w the weights
   * @param g the gradient
   * @param t the number of the update, from 1
   * @param lr the learning rate
   * @param deviation the noise's standard deviation in each coordinate
   */
  void update(double[] w, float[] g, int t, double lr, double deviation);

  /** {@code v = mu v + g + decay w, w = w - lr (g + decay w + mu v)}. */
  static ScalarReference nesterov(double mu, double decay) {
    double[][] v = new double[1][];
    return (w, g, t, lr, deviation) -> {
      v[0] = v[0] == null ? new double[w.length] : v[0];
      for (int j = 0; j < w.length; j++) {
        double d = g[j] + decay * w[j];
        v[0][j] = mu * v[0][j] + d;
        w[j] -= lr * (d + mu * v[0][j]);
      }
    };
  }

  /** {@code h = h + d^2, w = w - lr d / (sqrt(h) + eps)}. */
  static ScalarReference adagrad(double eps, double decay) {
    double[][] h = new double[1][];
    return (w, g, t, lr, deviation) -> {
      h[0] = h[0] == null ? new double[w.length] : h[0];
      for (int j = 0; j < w.length; j++) {
        double d = g[j] + decay * w[j];
        h[0][j] += d * d;
        w[j] -= lr * d / (Math.sqrt(h[0][j]) + eps);
      }
    };
  }

  /** RMSProp, with the learning rate inside the momentum. */
  static ScalarReference rmsprop(
      double rho, double mu, boolean centered, double eps, double decay) {
    double[][] s = new double[3][];
    return (w, g, t, lr, deviation) -> {
      if (s[0] == null) {
        Arrays.setAll(s, i -> new double[w.length]);
      }
      for (int j = 0; j < w.length; j++) {
        double d = g[j] + decay * w[j];
        s[0][j] = rho * s[0][j] + (1 - rho) * d * d;
        s[1][j] = rho * s[1][j] + (1 - rho) * d;
        double variance = centered ? s[0][j] - s[1][j] * s[1][j] : s[0][j];
        double step = lr * d / (Math.sqrt(variance) + eps);
        s[2][j] = mu * s[2][j] + step;
        w[j] -= mu == 0 ? step : s[2][j];
      }
    };
  }

  /** Adam with the noise's variance, averaged as v is, taken from the second moment. */
  static ScalarReference noiseCorrected(
      double beta1, double beta2, double floor, double decay, boolean decoupled) {
    double[][] s = new double[2][];
    double[] deviations = new double[1000];
    return (w, g, t, lr, deviation) -> {
      if (s[0] == null) {
        Arrays.setAll(s, i -> new double[w.length]);
      }
      deviations[t] = deviation;
      double phi = 0;
      double weights = 0;
      for (int i = 1; i <= t; i++) {
        double weight = Math.pow(beta2, t - i);
        phi += weight * deviations[i] * deviations[i];
        weights += weight;
      }
      phi /= weights;
      double correction1 = 1 - Math.pow(beta1, t);
      double correction2 = 1 - Math.pow(beta2, t);
      for (int j = 0; j < w.length; j++) {
        double d = decoupled ? g[j] : g[j] + decay * w[j];
        if (decoupled) {
          w[j] *= 1 - lr * decay;
        }
        s[0][j] = beta1 * s[0][j] + (1 - beta1) * d;
        s[1][j] = beta2 * s[1][j] + (1 - beta2) * d * d;
        double mean = s[0][j] / correction1;
        double variance = s[1][j] / correction2;
        w[j] -= lr * mean / Math.sqrt(Math.max(variance - phi, floor));
      }
    };
  }

  /** LAMB; without adaptation Adam with epsilon beside the corrected root, and no decay. */
  static ScalarReference lamb(
      double beta1,
      double beta2,
      double eps,
      double decay,
      double least,
      double largest,
      boolean adapted) {
    double[][] s = new double[2][];
    return (w, g, t, lr, deviation) -> {
      if (s[0] == null) {
        Arrays.setAll(s, i -> new double[w.length]);
      }
      double[] u = new double[w.length];
      double weightNorm = 0;
      double updateNorm = 0;
      double correction1 = 1 - Math.pow(beta1, t);
      double correction2 = 1 - Math.pow(beta2, t);
      for (int j = 0; j < w.length; j++) {
        s[0][j] = beta1 * s[0][j] + (1 - beta1) * g[j];
        s[1][j] = beta2 * s[1][j] + (1 - beta2) * g[j] * g[j];
        double mean = s[0][j] / correction1;
        double variance = s[1][j] / correction2;
        u[j] = mean / (Math.sqrt(variance) + eps) + (adapted ? decay * w[j] : 0);
        weightNorm += w[j] * w[j];
        updateNorm += u[j] * u[j];
      }
      double phi = Math.max(least, Math.min(Math.sqrt(weightNorm), largest));
      double ratio = adapted && phi != 0 && updateNorm != 0 ? phi / Math.sqrt(updateNorm) : 1;
      for (int j = 0; j < w.length; j++) {
        w[j] -= lr * ratio * u[j];
      }
    };
  }
}
