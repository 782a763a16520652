/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.DoubleUnaryOperator;
import org.apache.commons.numbers.gamma.Erfc;
import org.apache.commons.numbers.gamma.InverseErfc;

/** Draws a trade-off function as SVG. */
final class TradeoffPicture {

  private static final double SIZE = 480;
  private static final double MARGIN = 70;
  private static final double TOP = 90;

  private final StringBuilder svg = new StringBuilder();
  private final Map<String, Object> run;
  private final double noiseMultiplier;
  private final long steps;
  private final OptionalDouble mu;
  private final double epsilon;
  private final double delta;
  private int rows;

  /**
   * A picture of one run.
   *
   * @param run how it sampled, for the title
   * @param mu the parameter of the central limit theorem, if there is one
   */
  TradeoffPicture(
      Map<String, Object> run,
      double noiseMultiplier,
      long steps,
      OptionalDouble mu,
      double epsilon,
      double delta) {
    this.run = run;
    this.noiseMultiplier = noiseMultiplier;
    this.steps = steps;
    this.mu = mu;
    this.epsilon = epsilon;
    this.delta = delta;
  }

  String svg(List<CurvePoint> curve) {
    frame();
    StringBuilder lower = new StringBuilder();
    StringBuilder upper = new StringBuilder();
    for (CurvePoint row : curve) {
      point(lower, row.typeOne(), row.typeTwo().lower());
      point(upper, row.typeOne(), row.typeTwo().upper());
    }
    line(sampled(a -> 1 - a), "#999999", "4 4", "no information");
    line(upper.toString(), "#9ecae1", "", "f, upper bound");
    line(lower.toString(), "#08519c", "", "f, lower bound (guaranteed)");
    mu.ifPresent(
        value ->
            line(
                sampled(a -> normal(quantile(a) + value)),
                "#d62728",
                "7 4",
                String.format(Locale.ROOT, "Gaussian, mu = %.4g (estimate)", value)));
    if (epsilon < Double.POSITIVE_INFINITY) {
      line(
          sampled(this::epsilonDelta),
          "#2ca02c",
          "2 3",
          String.format(Locale.ROOT, "(%.4g, %.3g)-DP", epsilon, delta));
    }
    return svg.append("</svg>\n").toString();
  }

  private void frame() {
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%1$.0f\" height=\"%2$.0f\""
                + " viewBox=\"0 0 %1$.0f %2$.0f\""
                + " font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" font-size=\"14\">%n"
                + "<rect x=\"0\" y=\"0\" width=\"%1$.0f\" height=\"%2$.0f\" fill=\"white\"/>%n",
            SIZE + 1.5 * MARGIN,
            SIZE + TOP + MARGIN));
    text(MARGIN, 32, "start", "17", "How well a run hides one record");
    text(
        MARGIN,
        56,
        "start",
        "11",
        String.format(
            Locale.ROOT,
            "%s, %s sampling, q = %s, noise %s, %d steps, %s",
            run.get("mechanism"),
            run.get("sampling"),
            run.get("sampleRate"),
            noiseMultiplier,
            steps,
            String.valueOf(run.get("adjacency")).toLowerCase(Locale.ROOT).replace('_', ' ')));
    for (int i = 0; i <= 5; i++) {
      double at = i / 5.0;
      String grid = "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#e5e5e5\"/>%n";
      svg.append(String.format(Locale.ROOT, grid, x(at), y(0), x(at), y(1)));
      svg.append(String.format(Locale.ROOT, grid, x(0), y(at), x(1), y(at)));
      text(x(at), y(0) + 20, "middle", "14", String.valueOf(at));
      text(x(0) - 8, y(at) + 5, "end", "14", String.valueOf(at));
    }
    svg.append(
        String.format(
            Locale.ROOT,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\""
                + " stroke=\"#333333\"/>%n",
            x(0),
            y(1),
            SIZE,
            SIZE));
    text(x(0.5), y(0) + 46, "middle", "14", "type I error");
    svg.append(
        String.format(
            Locale.ROOT,
            "<text transform=\"translate(24 %.1f) rotate(-90)\" text-anchor=\"middle\">type II"
                + " error</text>%n",
            y(0.5)));
  }

  private double epsilonDelta(double a) {
    return Math.max(
        0, Math.max(1 - delta - Math.exp(epsilon) * a, Math.exp(-epsilon) * (1 - delta - a)));
  }

  private static double x(double typeOne) {
    return MARGIN + SIZE * typeOne;
  }

  private static double y(double typeTwo) {
    return TOP + SIZE * (1 - typeTwo);
  }

  private static String sampled(DoubleUnaryOperator f) {
    StringBuilder points = new StringBuilder();
    for (int i = 0; i <= 600; i++) {
      // Denser at both ends, where the curves may be steep.
      double t = i / 600.0;
      double a = t * t * (3 - 2 * t);
      point(points, a, Math.max(0, Math.min(1, f.applyAsDouble(a))));
    }
    return points.toString();
  }

  private static void point(StringBuilder points, double typeOne, double typeTwo) {
    points.append(String.format(Locale.ROOT, "%.2f,%.2f ", x(typeOne), y(typeTwo)));
  }

  private void line(String points, String colour, String dashes, String label) {
    String style =
        "fill=\"none\" stroke=\""
            + colour
            + "\" stroke-width=\"2\""
            + (dashes.isEmpty() ? "" : " stroke-dasharray=\"" + dashes + "\"");
    svg.append(String.format("<polyline points=\"%s\" %s/>%n", points.trim(), style));
    double top = TOP + 26 + 22 * rows;
    double left = MARGIN + SIZE - 292;
    svg.append(
        String.format(
            Locale.ROOT,
            "<line x1=\"%.0f\" y1=\"%.0f\" x2=\"%.0f\" y2=\"%.0f\" %s/>%n",
            left,
            top - 5,
            left + 30,
            top - 5,
            style));
    text(left + 38, top, "start", "14", label);
    rows++;
  }

  private void text(double x, double y, String anchor, String size, String text) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%s\">%s</text>%n",
            x,
            y,
            anchor,
            size,
            text));
  }

  /** P(X &gt; z). */
  private static double normal(double z) {
    return Erfc.value(z * Math.sqrt(0.5)) / 2;
  }

  /** The z with P(X &lt; z) = p. */
  private static double quantile(double p) {
    return -InverseErfc.value(2 * p) * Math.sqrt(2);
  }
}
