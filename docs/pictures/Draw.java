/* SPDX-License-Identifier: Apache-2.0 */

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Draws the pictures of the documentation: {@code java docs/pictures/Draw.java docs}, in the
 * repository's top directory. They are SVG, and follow the reader's light or dark mode.
 */
public final class Draw {
  private static final String STYLE =
      """
      <style>
      .bg{fill:#ffffff}.t{font-size:15px;font-weight:600}.h{font-size:17px;font-weight:600}.s,.k{font-size:12px}
      .l{font-size:12px;font-style:italic}.m{font-size:12.5px;font-family:ui-monospace,Menlo,Consolas,monospace}
      .t,.h,.s,.m,.k{fill:#1b263b}.l{fill:#56627a}.a{stroke:#33415c;stroke-width:1.5;fill:none}.tip{fill:#33415c}
      .d{stroke-dasharray:5 4}.box{stroke:#33415c;stroke-width:1.2}
      .blue{fill:#e3ecf9}.sand{fill:#f7efd9}.green{fill:#dff2e3}.grey{fill:#eef0f3}.red{fill:#fbe3e1}.none{fill:none}
      @media (prefers-color-scheme:dark){
      .bg{fill:#0d1117}.t,.h,.s,.m,.k{fill:#e6edf3}.l{fill:#a9b4c2}.a{stroke:#a9b4c2}.tip{fill:#a9b4c2}
      .box{stroke:#8b98a9}.blue{fill:#17304f}.sand{fill:#43380f}.green{fill:#143d22}.grey{fill:#21262d}
      .red{fill:#4d1f1d}.none{fill:none}}
      </style>
      <defs><marker id="m" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">\
      <path class="tip" d="M0 0 L8 4 L0 8 z"/></marker></defs>
      """;

  private final StringBuilder body = new StringBuilder();
  private final int width;
  private final int height;
  private final String title;

  private Draw(int width, int height, String title) {
    this.width = width;
    this.height = height;
    this.title = title;
    text(20, 28, "h", "start", title);
  }

  public static void main(String[] args) throws IOException {
    Path docs = Path.of(args[0]);
    packages().write(docs.resolve("packages.svg"));
    step().write(docs.resolve("step.svg"));
    epsilon().write(docs.resolve("epsilon.svg"));
    run().write(docs.resolve("run.svg"));
    whatIsPrivate().write(docs.resolve("private.svg"));
  }

  // ---- The five pictures ----

  private static Draw packages() {
    Draw d = new Draw(980, 722, "Packages: a box uses boxes in its row and below");
    d.text(20, 58, "t", "start", "fastdp-core");
    d.row(72, 20, 600, "blue", "ai.fastdp: PrivacyEngine, PrivateTrainer, and how they are put together");
    d.row(130, 20, 600, "grey", "internal.run: charges, saves, reports", "internal.step: shares, sums");
    d.row(188, 20, 600, "grey", "internal.check: tried before it is trained on");
    d.row(246, 20, 600, "grey", "internal.pass: one forward and backward pass");
    d.row(304, 20, 600, "blue", "plan: what it costs", "loss: one per sample", "optimizer: state");
    d.row(362, 20, 600, "blue", "validation: is it supported?", "mechanism: noise", "sampling: batches");
    d.row(420, 20, 600, "grey", "internal.ghost: norms, sums", "internal.hook: twins, recording", "internal.state: put back");
    d.row(478, 20, 600, "blue", "clipping: factors, groups", "rule: rules of your own", "nn: blocks");
    d.row(536, 20, 600, "grey", "internal.kernel: typed calls", "internal.djl", "internal.checkpoint");
    d.row(594, 20, 600, "blue", "kernel: TorchScript");
    d.text(660, 58, "t", "start", "fastdp-accounting");
    d.row(72, 660, 300, "blue", "cli: the command line");
    d.row(130, 660, 300, "blue", "calibration", "statement", "ledger");
    d.row(188, 660, 300, "blue", "accountant", "factorization");
    d.row(246, 660, 300, "grey", "internal.mechanism", "internal.solve");
    d.row(304, 660, 300, "grey", "internal.loss");
    d.row(362, 660, 300, "blue", "event: what was released");
    d.row(420, 660, 300, "grey", "internal.numeric");
    d.text(660, 516, "t", "start", "fastdp-optim");
    d.row(528, 660, 300, "blue", "optim: DpSgd, DpAdam, DpLamb ...");
    d.legend(686, "blue", "for users", "grey", "inside: may change at any time");
    d.text(640, 698, "l", "start", "core uses accounting, optim uses core");
    return d;
  }

  private static Draw step() {
    Draw d = new Draw(980, 640, "One logical step");
    d.box(20, 48, 210, 88, "blue", "Poisson sampling", "each sample with probability q",
        "cut into micro-batches");
    d.box(270, 48, 210, 88, "blue", "shares", "one per device,", "or one for the only device");
    d.arrow(230, 92, 266, 92);
    d.text(560, 172, "t", "start", "for each micro-batch, on each device");
    d.frame(12, 182, 956, 268);
    d.box(30, 200, 210, 96, "sand", "forward", "your model, unchanged;",
        "layers' inputs a are recorded,", "the graph is cut behind blocks");
    d.box(280, 200, 210, 96, "sand", "backward", "from cut to cut, last first:",
        "output gradients g,", "no weight gradients");
    d.box(530, 200, 190, 96, "sand", "norms", "of each unit that is complete,", "ghost or formed:",
        "‖Σ g aᵀ‖² = ⟨AAᵀ, GGᵀ⟩");
    d.box(760, 200, 190, 96, "sand", "clip factors", "c ≤ R / norm, per sample",
        "not finite: exactly zero");
    d.arrow(375, 136, 375, 160, 135, 160, 135, 196);
    d.arrow(240, 248, 276, 248);
    d.arrow(490, 248, 526, 248);
    d.arrow(720, 248, 756, 248);
    d.box(530, 344, 190, 88, "sand", "clipped sum", "Σ c g aᵀ, same a and g;",
        "then the unit is released");
    d.arrow(855, 296, 855, 388, 724, 388);
    d.arrow(530, 388, 385, 388, 385, 300);
    d.text(395, 380, "l", "start", "next segment");
    d.box(20, 490, 150, 88, "sand", "add devices", "one sum, which only", "the mechanism reads");
    d.box(200, 490, 170, 88, "green", "charge the ledger", "over budget: an error,",
        "nothing is released");
    d.box(400, 490, 170, 88, "green", "add noise", "once, with deviation σS,",
        "÷ expected batch size");
    d.box(600, 490, 170, 88, "green", "DP optimizer", "privatized gradients,", "nothing else");
    d.box(800, 490, 160, 88, "green", "weights", "copied to all devices;", "checkpoint, report");
    d.arrow(625, 432, 625, 470, 95, 470, 95, 486);
    d.text(330, 464, "l", "start", "after the last micro-batch of the step");
    d.arrow(170, 534, 196, 534);
    d.arrow(370, 534, 396, 534);
    d.arrow(570, 534, 596, 534);
    d.arrow(770, 534, 796, 534);
    d.legend(604, "blue", "private data", "sand", "computed from them, not released", "green",
        "private release, charged first");
    return d;
  }

  private static Draw epsilon() {
    Draw d = new Draw(980, 520, "From an event to epsilon");
    d.box(20, 52, 200, 112, "blue", "DpEvent", "what a run released:",
        "Gaussian, Laplace, discrete,", "sampled, composed, repeated");
    d.box(270, 52, 200, 112, "grey", "normal form", "each mechanism and its count;",
        "order does not matter;", "others are refused");
    d.box(520, 52, 200, 112, "grey", "dominating pair (P, Q)", "per mechanism and",
        "neighbouring relation;", "proofs in docs/proofs");
    d.box(770, 52, 190, 112, "grey", "privacy loss", "L = log dP/dQ; losses of",
        "all steps add up, in", "both directions");
    d.arrow(220, 108, 266, 108);
    d.arrow(470, 108, 516, 108);
    d.arrow(720, 108, 766, 108);
    d.box(20, 216, 200, 130, "blue", "RdpAccountant", "Rényi divergence at every",
        "order, best order searched", "upper bound");
    d.box(250, 216, 200, 130, "blue", "GdpAccountant", "central limit theorem:",
        "exact if nothing is sampled,", "an estimate otherwise");
    d.box(480, 216, 480, 130, "blue", "FdpAccountant",
        "first method that answers, lower and upper bound:",
        "closed form (no sampling, or one step) · from the highest loss ·",
        "contour integral (any number of steps) · tilted FFT (few steps) ·",
        "Chernoff's bound (cap, and last resort)");
    d.arrow(865, 164, 865, 212);
    d.arrow(620, 164, 620, 190, 120, 190, 120, 212);
    d.arrow(620, 190, 350, 190, 350, 212);
    d.box(250, 394, 200, 88, "green", "EpsilonBound", "lower, estimate, upper:",
        "each only where it holds");
    d.arrow(120, 346, 120, 438, 246, 438);
    d.arrow(350, 346, 350, 390);
    d.arrow(720, 346, 720, 372, 420, 372, 420, 390);
    d.box(520, 394, 200, 88, "green", "budget, calibration", "need an upper bound;",
        "an estimate is refused");
    d.box(770, 394, 190, 88, "green", "statement", "made of charged events");
    d.arrow(450, 438, 516, 438);
    d.arrow(720, 438, 766, 438);
    return d;
  }

  private static Draw run() {
    Draw d = new Draw(980, 430, "The life of a run with a checkpoint every 10 steps");
    int left = 130;
    int step = 8;
    d.text(20, 90, "t", "start", "ledger");
    d.text(20, 160, "t", "start", "weights");
    d.text(20, 230, "t", "start", "checkpoint");
    d.bar(left, 70, 37 * step, "green", "charged: steps 1 to 37");
    d.bar(left, 140, 37 * step, "sand", "steps 1 to 37");
    for (int i = 10; i <= 30; i += 10) {
      d.box(left + i * step - 24, 208, 48, 36, "blue", "", "" + i);
    }
    int kill = left + 37 * step;
    d.line(kill, 48, kill, 260, "a d");
    d.text(kill, 280, "t", "middle", "killed");
    int resumed = kill + 60;
    d.text(kill + 30, 96, "l", "middle", "kept");
    d.text(kill + 30, 166, "l", "middle", "gone");
    d.bar(resumed, 70, 63 * step - 160, "green", "charged: steps 38 to 100");
    d.bar(resumed, 140, 63 * step - 160, "sand", "30 updates, then 63 more: 93");
    d.line(resumed, 48, resumed, 260, "a d");
    d.text(resumed + 6, 280, "t", "start", "resumed");
    d.arrow(left + 30 * step, 244, left + 30 * step, 320, resumed + 34, 320, resumed + 34, 290);
    d.text(resumed + 44, 324, "l", "start", "continues from the newest checkpoint");
    int end = resumed + 63 * step - 160;
    d.line(end, 48, end, 260, "a d");
    d.text(end, 280, "t", "middle", "plan ends");
    d.text(20, 360, "k", "start",
        "Steps 31 to 37 are lost: their noisy gradients may have been seen, so they stay charged. A step is on disk in the ledger before its noise is added.");
    d.text(20, 382, "k", "start",
        "Refused: a ledger older than the checkpoint, a checkpoint older than the newest, another plan, a damaged file, a ledger that is in use.");
    d.text(20, 404, "k", "start",
        "Not detectable: ledger, head file and checkpoint all put back together, or training on a copy of all three.");
    return d;
  }

  private static Draw whatIsPrivate() {
    Draw d = new Draw(980, 520, "What is private, and what is not");
    d.frame(12, 44, 430, 410);
    d.text(30, 70, "t", "start", "stays where the data are");
    d.box(30, 86, 394, 64, "blue", "samples and labels",
        "one record is one person, or the unit that you name");
    d.box(30, 164, 394, 102, "sand", "computed without noise",
        "losses, training metrics, evaluations on the training set,",
        "gradient norms, actual batch sizes, step times,",
        "number of non-finite samples, values under \"private\"");
    d.box(30, 280, 394, 64, "red", "errors and their moment",
        "a run that stops because of one record tells about it");
    d.box(30, 358, 394, 80, "red", "choices made by looking",
        "a learning rate picked by training loss, say: all runs of an",
        "engine are charged, looks at private values are not");
    d.box(478, 164, 170, 180, "green", "one door", "clip: at most R each", "charge: before release",
        "noise: secret, once", "divide: by declared size");
    d.arrow(424, 214, 474, 214);
    d.frame(684, 44, 284, 410);
    d.text(702, 70, "t", "start", "may be published");
    d.box(702, 86, 248, 64, "green", "declared numbers", "the plan: N, q, T, R, σ, ε, δ");
    d.box(702, 164, 248, 102, "green", "weights", "and all that is computed from them:",
        "predictions, accuracy on public", "data, checkpoints");
    d.box(702, 280, 248, 64, "green", "report, public part", "follows from the plan and the step");
    d.box(702, 358, 248, 80, "green", "privacy statement", "what was released, its source",
        "of noise, epsilon and delta");
    d.arrow(648, 214, 698, 214);
    d.legend(474, "blue", "private", "sand", "not noised: do not publish", "red", "yours to avoid",
        "green", "public or private by (ε, δ)");
    return d;
  }

  // ---- Shapes ----

  private void box(int x, int y, int w, int h, String kind, String head, String... lines) {
    body.append("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\" class=\"box %s\"/>%n".formatted(x, y, w, h, kind));
    int spacing = 18;
    int rows = lines.length + (head.isEmpty() ? 0 : 1);
    int baseline = y + (h - rows * spacing) / 2 + 14;
    if (!head.isEmpty()) {
      text(x + w / 2, baseline, "t", "middle", head);
      baseline += spacing + 1;
    }
    for (String line : lines) {
      text(x + w / 2, baseline, "s", "middle", line);
      baseline += spacing;
    }
  }

  /** Boxes side by side. A label may have a name and, after a colon, what it is. */
  private void row(int y, int x, int w, String kind, String... labels) {
    int gap = 10;
    int each = (w - gap * (labels.length - 1)) / labels.length;
    for (int i = 0; i < labels.length; i++) {
      String[] parts = labels[i].split(": ", 2);
      int left = x + i * (each + gap);
      body.append("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"46\" rx=\"8\" class=\"box %s\"/>%n".formatted(left, y, each, kind));
      text(left + each / 2, y + (parts.length > 1 ? 19 : 28), "m", "middle", parts[0]);
      if (parts.length > 1) {
        text(left + each / 2, y + 37, "s", "middle", parts[1]);
      }
    }
  }

  private void bar(int x, int y, int w, String kind, String label) {
    body.append("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"36\" rx=\"4\" class=\"box %s\"/>%n".formatted(x, y, w, kind));
    text(x + w / 2, y + 23, "s", "middle", label);
  }

  private void frame(int x, int y, int w, int h) {
    body.append("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"10\" class=\"a d none\"/>%n".formatted(x, y, w, h));
  }

  private void arrow(int... points) {
    StringBuilder path = new StringBuilder("M %d %d".formatted(points[0], points[1]));
    for (int i = 2; i < points.length; i += 2) {
      path.append(" L %d %d".formatted(points[i], points[i + 1]));
    }
    body.append("<path d=\"%s\" class=\"a\" marker-end=\"url(#m)\"/>%n".formatted(path));
  }

  private void line(int x1, int y1, int x2, int y2, String style) {
    body.append("<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" class=\"%s\"/>%n".formatted(x1, y1,
        x2, y2, style));
  }

  /** Pairs of a colour and what it stands for. */
  private void legend(int y, String... pairs) {
    int x = 20;
    for (int i = 0; i < pairs.length; i += 2) {
      body.append("<rect x=\"%d\" y=\"%d\" width=\"14\" height=\"14\" class=\"box %s\"/>%n".formatted(x, y, pairs[i]));
      text(x + 22, y + 12, "k", "start", pairs[i + 1]);
      x += 52 + pairs[i + 1].length() * 7;
    }
  }

  private void text(int x, int y, String style, String anchor, String text) {
    String safe = text.replace("&", "&amp;").replace("<", "&lt;");
    body.append("<text x=\"%d\" y=\"%d\" class=\"%s\" text-anchor=\"%s\">%s</text>%n".formatted(x,
        y, style, anchor, safe));
  }

  private void write(Path file) throws IOException {
    String head =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\" font-family=\"Helvetica, Arial, sans-serif\">%n"
            .formatted(width, height, title);
    String ground = "<rect width=\"%d\" height=\"%d\" class=\"bg\"/>%n".formatted(width, height);
    Files.writeString(file, head + STYLE + ground + body + "</svg>\n");
  }
}
