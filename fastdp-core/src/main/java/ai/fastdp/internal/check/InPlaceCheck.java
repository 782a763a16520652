/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.internal.check;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.fastdp.internal.check.LossRun.Losses;
import ai.fastdp.internal.check.LossRun.Mode;
import ai.fastdp.internal.kernel.FloatType;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Checks by values, in training mode, that a sample's random loss is the same in whatever company.
 *
 * <p>Half of the samples keep their places, copies of others take the places of the rest, and
 * PyTorch's generator is seeded alike: dropout then drops the same at each place, so that the
 * losses of the kept samples must be the same. A mixture with partners that are drawn at random
 * changes a kept sample's loss where its partner has been replaced: for half of the samples in each
 * of the {@value #PARTITIONS} partitions.
 *
 * <p>A difference alone proves nothing: a model that draws numbers for some samples only, such as
 * dropout inside an expert, has other numbers for a sample in other company. It is an error where
 * {@link RandomSigns} finds that the loss has another distribution there. So it is with a model
 * that takes random numbers from elsewhere, in batches whose other places have copies of one
 * sample, and of another.
 */
final class InPlaceCheck {
  private static final int PARTITIONS = 4;
  private static final int FEW = 8;
  private static final int FEW_PARTITIONS = 2;
  // Pairs of passes in the first trial: more where one difference has been seen already.
  private static final int PAIRS = 24;
  private static final int MORE_PAIRS = 48;
  private static final int LARGEST = 32;
  private static final int PROBES = 4;
  // Samples whose copies are tried, and passes with each.
  private static final int CANDIDATES = 6;
  private static final int PILOTS = 6;
  private static final double FAR = 1e-2;
  private static final double NEAR = 1e-4;
  private static final int REPEATS = 4;

  private final LossRun runs;
  private final SecureRandom random;
  private final double tolerance;

  InPlaceCheck(LossRun runs, SecureRandom random, double tolerance) {
    this.runs = runs;
    this.random = random;
    this.tolerance = tolerance;
  }

  /**
   * Runs the check on all samples of a batch, at least two.
   *
   * @return whether the losses are the same twice under one seed
   * @throws IllegalStateException if it fails
   */
  boolean run(NDManager parent, NDList data, NDList labels, int samples) {
    try (NDManager manager = parent.newSubManager();
        TorchSeed seed = new TorchSeed(manager)) {
      Trial trial = new Trial(manager, seed, data, labels, samples);
      if (trial.isSteady()) {
        trial.requireSame();
        return true;
      }
      if (trial.dependsOnCopies(tolerance)) {
        throw refusal();
      }
      return false;
    }
  }

  static IllegalStateException refusal() {
    return new IllegalStateException(
        "a sample's loss must not depend on the rest of its batch, got another value in other"
            + " company in training mode; remove what mixes the batch axis in the model or the"
            + " loss (batch statistics, counts, samples mixed at random)");
  }

  /** The kept sample whose loss differs most. */
  private record Found(Company company, int sample, double difference, boolean wide) {}

  private final class Trial {
    private final NDManager manager;
    private final TorchSeed seed;
    private final NDList data;
    private final NDList labels;
    private final int samples;

    Trial(NDManager manager, TorchSeed seed, NDList data, NDList labels, int samples) {
      this.manager = manager;
      this.seed = seed;
      this.data = data;
      this.labels = labels;
      this.samples = samples;
    }

    boolean isSteady() {
      long one = random.nextInt();
      double[] first = losses(one, data, labels, Arithmetic.OWN).values();
      double[] second = losses(one, data, labels, Arithmetic.OWN).values();
      return IntStream.range(0, samples)
          .allMatch(i -> Tolerance.difference(first[i], second[i]) <= tolerance);
    }

    /** Requires the losses of samples at their places to be the same under one seed. */
    void requireSame() {
      if (furthest(Arithmetic.OWN).difference() <= Tolerance.UNDOUBTED) {
        return;
      }
      try (NDManager own = manager.newSubManager()) {
        Arithmetic wide = Arithmetic.wide(own);
        Optional<Found> inFloat64 = LossRun.attempt(() -> furthest(wide)).filter(Found::wide);
        Arithmetic type = inFloat64.isPresent() ? wide : Arithmetic.OWN;
        Found found = inFloat64.orElseGet(() -> furthest(type));
        double allowed = inFloat64.isPresent() ? Tolerance.WIDE : tolerance;
        if (found.difference() > allowed && isCertain(found, type)) {
          throw refusal();
        }
      }
    }

    private Found furthest(Arithmetic type) {
      Found furthest = new Found(Company.halves(samples, random).get(0), 0, 0, true);
      boolean wide = true;
      for (int i = 0; i < (samples < FEW ? FEW_PARTITIONS : PARTITIONS); i++) {
        long one = random.nextInt();
        Losses here = losses(one, data, labels, type);
        wide &= here.isWide();
        for (Company company : Company.halves(samples, random)) {
          Losses there = losses(one, company.rows(), type);
          wide &= there.isWide();
          for (int sample : company.kept()) {
            double difference = Tolerance.difference(here.values()[sample], there.values()[sample]);
            if (difference > furthest.difference()) {
              furthest = new Found(company, sample, difference, true);
            }
          }
        }
      }
      return new Found(furthest.company(), furthest.sample(), furthest.difference(), wide);
    }

    private boolean isCertain(Found found, Arithmetic type) {
      return (type.isWide() && isSmooth(type)) || depends(found, type) || dependsOnCopies(0);
    }

    /**
     * Whether losses move in float64 when others' inputs are moved, and less when they are moved
     * less. Where random numbers shift, they stay as they are, or jump.
     */
    private boolean isSmooth(Arithmetic type) {
      for (int i = 0; i < REPEATS; i++) {
        Company company = Company.halves(samples, random).get(0);
        long one = random.nextInt();
        double[] here = losses(one, data, labels, type).values();
        double far = movement(one, company, FAR, here, type);
        double near = movement(one, company, NEAR, here, type);
        if (!(near > Tolerance.WIDE && near < 0.1 * far)) {
          return false;
        }
      }
      return true;
    }

    /** How far kept samples' losses move when the inputs of others are moved towards a company. */
    private double movement(
        long one, Company company, double part, double[] here, Arithmetic type) {
      try (NDManager own = manager.newSubManager()) {
        NDList wide = type.of(data, own);
        NDList others = runs.takeData(wide, company.rows(), own);
        NDList moved = new NDList();
        for (int i = 0; i < wide.size(); i++) {
          NDArray array = wide.get(i);
          moved.add(
              FloatType.isFloat(data.get(i))
                  ? array.add(others.get(i).sub(array).mul(part))
                  : array);
          moved.get(i).setName(data.get(i).getName());
        }
        double[] there = losses(one, moved, labels, type).values();
        return Arrays.stream(company.kept())
            .mapToDouble(sample -> Tolerance.difference(here[sample], there[sample]))
            .max()
            .orElse(0);
      }
    }

    /** Whether the loss of a sample has another distribution in a company than in its batch. */
    private boolean depends(Found found, Arithmetic type) {
      NDList others = runs.takeData(data, found.company().rows(), manager);
      NDList otherLabels = runs.takeLabels(labels, found.company().rows(), manager);
      return new RandomSigns(random, seed)
          .depends(
              MORE_PAIRS,
              0,
              company -> {
                Losses now =
                    company == 0 ? losses(data, labels, type) : losses(others, otherLabels, type);
                return new double[] {now.values()[found.sample()]};
              });
    }

    /**
     * Whether losses have another distribution among copies of one sample than among copies of
     * another.
     *
     * @param least the least relative difference of means that counts
     */
    boolean dependsOnCopies(double least) {
      List<Integer> order = new ArrayList<>(IntStream.range(0, samples).boxed().toList());
      Collections.shuffle(order, random);
      int size = Math.min(samples, LARGEST);
      // Few, so that most partners are copies.
      int kept = (size + 3) / 4;
      List<NDList[]> batches = new ArrayList<>();
      List<Double> levels = new ArrayList<>();
      for (int copied : candidates(order)) {
        long[] rows =
            IntStream.range(0, size).mapToLong(k -> k < kept ? order.get(k) : copied).toArray();
        NDList[] batch = {
          runs.takeData(data, rows, manager), runs.takeLabels(labels, rows, manager)
        };
        double level = 0;
        for (int pass = 0; pass < PILOTS; pass++) {
          seed.set(pass);
          double[] numbers = numbers(batch, kept);
          level += numbers[numbers.length - 1];
        }
        batches.add(batch);
        levels.add(level);
      }
      int low = levels.indexOf(Collections.min(levels));
      int high = levels.indexOf(Collections.max(levels));
      NDList[][] furthest = {batches.get(low), batches.get(high)};
      return low != high
          && new RandomSigns(random, seed)
              .depends(PAIRS, least, company -> numbers(furthest[company], kept));
    }

    /** The samples with the least and the largest loss, and others. */
    private List<Integer> candidates(List<Integer> order) {
      double[] losses = losses(data, labels, Arithmetic.OWN).values();
      Comparator<Integer> byLoss = Comparator.comparingDouble(i -> losses[i]);
      List<Integer> candidates = new ArrayList<>();
      candidates.add(Collections.min(order, byLoss));
      candidates.add(Collections.max(order, byLoss));
      candidates.addAll(order.subList(Math.max(0, samples - CANDIDATES), samples));
      return candidates.stream().distinct().toList();
    }

    /** Losses of a few samples, and the sum of those of all that are kept. */
    private double[] numbers(NDList[] batch, int kept) {
      double[] losses = losses(batch[0], batch[1], Arithmetic.OWN).values();
      double[] numbers = Arrays.copyOf(losses, Math.min(kept, PROBES) + 1);
      numbers[numbers.length - 1] = Arrays.stream(losses, 0, kept).sum();
      return numbers;
    }

    private Losses losses(long one, long[] rows, Arithmetic type) {
      try (NDManager own = manager.newSubManager()) {
        return losses(
            one, runs.takeData(data, rows, own), runs.takeLabels(labels, rows, own), type);
      }
    }

    private Losses losses(long one, NDList some, NDList someLabels, Arithmetic type) {
      seed.set(one);
      return losses(some, someLabels, type);
    }

    private Losses losses(NDList some, NDList someLabels, Arithmetic type) {
      return runs.recorded(manager, some, someLabels, Mode.TRAINING, type);
    }
  }
}
