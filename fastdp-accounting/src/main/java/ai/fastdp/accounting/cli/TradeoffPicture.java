/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.cli;

import java.util.List;
import java.util.Locale;
import java.util.function.DoubleUnaryOperator;
import org.apache.commons.numbers.gamma.Erfc;
import org.apache.commons.numbers.gamma.InverseErfc;

/** Draws a trade-off function as SVG. */
final class TradeoffPicture {

  private static final double SIZE = 480;
  private static final double MARGIN = 60;

  private TradeoffPicture() {}

  static String svg(List<CurvePoint> curve, double mu, double epsilon, double delta) {
    StringBuilder svg = new StringBuilder();
    double total = SIZE + 2 * MARGIN;
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%1$.0f\" height=\"%1$.0f\""
                + " font-family=\"sans-serif\" font-size=\"14\">%n"
                + "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n"
                + "<rect x=\"%2$.0f\" y=\"%2$.0f\" width=\"%3$.0f\" height=\"%3$.0f\" fill=\"none\""
                + " stroke=\"black\"/>%n",
            total,
            MARGIN,
            SIZE));
    for (int i = 0; i <= 4; i++) {
      text(svg, MARGIN + SIZE * i / 4, MARGIN + SIZE + 20, "middle", String.valueOf(i / 4.0));
      text(svg, MARGIN - 8, MARGIN + SIZE - SIZE * i / 4 + 5, "end", String.valueOf(i / 4.0));
    }
    text(svg, MARGIN + SIZE / 2, MARGIN + SIZE + 42, "middle", "type I error");
    text(svg, MARGIN, MARGIN - 12, "start", "type II error");
    StringBuilder lower = new StringBuilder();
    StringBuilder upper = new StringBuilder();
    for (CurvePoint row : curve) {
      point(lower, row.typeOne(), row.typeTwo().lower());
      point(upper, row.typeOne(), row.typeTwo().upper());
    }
    line(svg, "0,1 1,0", "#bbbbbb", "4 4", "no information", 0);
    line(svg, lower.toString(), "#1f77b4", "", "f, lower", 1);
    line(svg, upper.toString(), "#17becf", "2 2", "f, upper", 2);
    line(
        svg,
        sampled(a -> normal(quantile(a) + mu)),
        "#d62728",
        "6 3",
        String.format(Locale.ROOT, "CLT estimate, mu = %.4g", mu),
        3);
    line(
        svg,
        sampled(
            a ->
                Math.max(
                    0,
                    Math.max(
                        1 - delta - Math.exp(epsilon) * a, Math.exp(-epsilon) * (1 - delta - a)))),
        "#2ca02c",
        "1 3",
        String.format(Locale.ROOT, "(%.4g, %.3g)-DP", epsilon, delta),
        4);
    return svg.append("</svg>\n").toString();
  }

  private static String sampled(DoubleUnaryOperator f) {
    StringBuilder points = new StringBuilder();
    for (int i = 0; i <= 400; i++) {
      // Denser near 0, where the curves are steep.
      double a = Math.pow(i / 400.0, 3);
      point(points, a, Math.max(0, Math.min(1, f.applyAsDouble(a))));
    }
    return points.toString();
  }

  private static void point(StringBuilder points, double x, double y) {
    points.append(String.format(Locale.ROOT, "%.6f,%.6f ", x, y));
  }

  private static void line(
      StringBuilder svg, String points, String colour, String dashes, String label, int row) {
    StringBuilder scaled = new StringBuilder();
    for (String point : points.trim().split(" ", -1)) {
      String[] xy = point.split(",", -1);
      scaled.append(
          String.format(
              Locale.ROOT,
              "%.2f,%.2f ",
              MARGIN + SIZE * Double.parseDouble(xy[0]),
              MARGIN + SIZE * (1 - Double.parseDouble(xy[1]))));
    }
    svg.append(
        String.format(
            Locale.ROOT,
            "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\""
                + " stroke-dasharray=\"%s\"/>%n",
            scaled.toString().trim(),
            colour,
            dashes));
    double y = MARGIN + 24 + 20 * row;
    double x = MARGIN + SIZE - 200;
    svg.append(
        String.format(
            Locale.ROOT,
            "<line x1=\"%.0f\" y1=\"%.0f\" x2=\"%.0f\" y2=\"%.0f\" stroke=\"%s\" stroke-width=\"2\""
                + " stroke-dasharray=\"%s\"/>%n",
            x,
            y - 5,
            x + 28,
            y - 5,
            colour,
            dashes));
    text(svg, x + 34, y, "start", label);
  }

  private static void text(StringBuilder svg, double x, double y, String anchor, String text) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">%s</text>%n",
            x,
            y,
            anchor,
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
