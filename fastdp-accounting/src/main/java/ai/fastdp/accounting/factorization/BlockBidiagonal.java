/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.factorization;

import java.util.Arrays;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A lower-triangular matrix with b bands as square blocks of width w &gt;= b - 1: lower-triangular
 * blocks \(D_J\) on the diagonal and blocks \(E_J\) right below them, nothing else. What is done
 * with it are then products of matrices, which BLAS does fast.
 *
 * <p>The last block is filled up with an identity, which changes no result. Arrays are outside of
 * the Java heap and live until {@link #close()}.
 */
final class BlockBidiagonal implements AutoCloseable {

  /** Smaller blocks cost more in calls than they save in arithmetic. */
  private static final int MIN_WIDTH = 32;

  /** Rows of the workload that are handled together. */
  private static final int SLAB_ROWS = 256;

  private final int steps;
  private final int bands;
  private final int width;
  private final int slabRows;
  private final INDArray[] diagonal;
  private final INDArray[] inverse;
  private final INDArray[] below;
  private final INDArray[] slab;
  private final double[] block;
  private final double[] slabBlock;

  private BlockBidiagonal(int steps, int bands) {
    this.steps = steps;
    this.bands = bands;
    width = Math.min(steps, Math.max(bands, MIN_WIDTH));
    slabRows = Math.min(steps, SLAB_ROWS);
    int blocks = (steps + width - 1) / width;
    diagonal = matrices(blocks, width);
    inverse = matrices(blocks, width);
    below = matrices(blocks - 1, width);
    slab = matrices(blocks, slabRows);
    block = new double[width * width];
    slabBlock = new double[slabRows * width];
  }

  private INDArray[] matrices(int count, int rows) {
    INDArray[] created = new INDArray[count];
    for (int i = 0; i < count; i++) {
      created[i] = Nd4j.create(DataType.DOUBLE, new long[] {rows, width}, 'f');
    }
    return created;
  }

  /**
   * The blocks of a strategy.
   *
   * @throws IllegalStateException if ND4J or its native library is missing
   */
  static BlockBidiagonal of(Strategy strategy) {
    BlockBidiagonal blocks;
    try {
      blocks = new BlockBidiagonal(strategy.steps(), strategy.bands());
    } catch (LinkageError e) {
      throw new IllegalStateException(
          "org.nd4j:nd4j-native must be on the class path for banded strategies and workloads that"
              + " are not Toeplitz, got "
              + e
              + "; add the dependency, with the classifier of the platform",
          e);
    }
    blocks.set(strategy);
    return blocks;
  }

  /** Replaces the matrix by another one with the same steps and bands. */
  void set(Strategy strategy) {
    for (int j = 0; j < diagonal.length; j++) {
      fill(strategy, j, j);
      write(block, diagonal[j]);
      invertLowerTriangular(block, width);
      write(block, inverse[j]);
      if (j < below.length) {
        fill(strategy, j + 1, j);
        write(block, below[j]);
      }
    }
  }

  private void fill(Strategy strategy, int blockRow, int blockColumn) {
    for (int c = 0; c < width; c++) {
      int column = blockColumn * width + c;
      for (int r = 0; r < width; r++) {
        int row = blockRow * width + r;
        block[c * width + r] =
            row < steps && column < steps ? strategy.entry(row, column) : row == column ? 1 : 0;
      }
    }
  }

  /** In bulk: element-wise access of ND4J's buffers costs more than the products. */
  private static void write(double[] values, INDArray array) {
    array.data().asNioDouble().put(values);
  }

  private static double[] read(INDArray array) {
    double[] values = new double[Math.toIntExact(array.length())];
    array.data().asNioDouble().get(values);
    return values;
  }

  /** In place, column after column, by forward substitution. */
  private static void invertLowerTriangular(double[] matrix, int size) {
    double[] column = new double[size];
    for (int c = size - 1; c >= 0; c--) {
      // Columns to the right of c are inverted already; column c still holds the matrix.
      double pivot = 1 / matrix[c * size + c];
      Arrays.fill(column, 0);
      for (int k = c + 1; k < size; k++) {
        double factor = -matrix[c * size + k] * pivot;
        if (factor != 0) {
          for (int r = k; r < size; r++) {
            column[r] += factor * matrix[k * size + r];
          }
        }
      }
      column[c] = pivot;
      System.arraycopy(column, c, matrix, c * size + c, size - c);
    }
  }

  /** The diagonals of \(C^\top C\), the main one first. */
  double[][] gramDiagonals(int count) {
    double[][] diagonals = new double[count][];
    for (int d = 0; d < count; d++) {
      diagonals[d] = new double[steps - d];
    }
    try (INDArray product = Nd4j.create(DataType.DOUBLE, new long[] {width, width}, 'f')) {
      for (int j = 0; j < diagonal.length; j++) {
        Nd4j.gemm(diagonal[j], diagonal[j], product, true, false, 1, 0);
        if (j < below.length) {
          Nd4j.gemm(below[j], below[j], product, true, false, 1, 1);
        }
        read(product, j, j, diagonals);
        if (j < below.length) {
          Nd4j.gemm(below[j], diagonal[j + 1], product, true, false, 1, 0);
          read(product, j, j + 1, diagonals);
        }
      }
    }
    return diagonals;
  }

  private void read(INDArray product, int blockRow, int blockColumn, double[][] diagonals) {
    double[] values = read(product);
    for (int c = 0; c < width; c++) {
      int column = blockColumn * width + c;
      for (int r = 0; r < width; r++) {
        int row = blockRow * width + r;
        int d = column - row;
        if (column < steps && d >= 0 && d < diagonals.length) {
          diagonals[d][row] = values[c * width + r];
        }
      }
    }
  }

  /**
   * Squared norms of the rows of \(B = A C^{-1}\).
   *
   * @return T values
   */
  double[] squaredRowNorms(Workload workload) {
    double[] norms = new double[steps];
    for (int first = 0; first < steps; first += slabRows) {
      int last = solve(workload, first);
      for (int j = 0; j <= last; j++) {
        double[] values = read(slab[j]);
        for (int c = 0; c < width; c++) {
          for (int i = 0; i < slabRows && first + i < steps; i++) {
            double x = values[c * slabRows + i];
            norms[first + i] += x * x;
          }
        }
      }
    }
    return norms;
  }

  /**
   * The gradient, by the entries of C, of the mean of the squared row norms of B: \(-\frac{2}{T}
   * B^\top M\) with \(M = B C^{-\top}\), as \(dB = -B\, dC\, C^{-1}\).
   *
   * @param gradient the result, packed like {@link BandedStrategy}
   */
  void errorGradient(Workload workload, double[] gradient) {
    int blocks = diagonal.length;
    INDArray[] ofDiagonal = matrices(blocks, width);
    INDArray[] ofBelow = matrices(blocks - 1, width);
    INDArray[] transposed = matrices(2, slabRows);
    INDArray[] right = matrices(1, slabRows);
    try {
      for (int first = 0; first < steps; first += slabRows) {
        int last = solve(workload, first);
        for (int j = 0; j <= last; j++) {
          INDArray m = transposed[j % 2];
          right[0].assign(slab[j]);
          if (j > 0) {
            Nd4j.gemm(transposed[(j - 1) % 2], below[j - 1], right[0], false, true, -1, 1);
          }
          Nd4j.gemm(right[0], inverse[j], m, false, true, 1, 0);
          Nd4j.gemm(slab[j], m, ofDiagonal[j], true, false, -2.0 / steps, 1);
          if (j < last) {
            Nd4j.gemm(slab[j + 1], m, ofBelow[j], true, false, -2.0 / steps, 1);
          }
        }
      }
      for (int j = 0; j < blocks; j++) {
        pack(ofDiagonal[j], j, j, gradient);
        if (j < ofBelow.length) {
          pack(ofBelow[j], j + 1, j, gradient);
        }
      }
    } finally {
      closeAll(ofDiagonal, ofBelow, transposed, right);
    }
  }

  private void pack(INDArray part, int blockRow, int blockColumn, double[] gradient) {
    double[] values = read(part);
    for (int c = 0; c < width; c++) {
      int column = blockColumn * width + c;
      for (int r = 0; r < width; r++) {
        int row = blockRow * width + r;
        int d = row - column;
        if (row < steps && d >= 0 && d < bands) {
          gradient[column * bands + d] = values[c * width + r];
        }
      }
    }
  }

  /**
   * Rows {@code first} and following of \(B = A C^{-1}\), from the last block of columns backwards:
   * \(B_J = (A_J - B_{J+1} E_J) D_J^{-1}\). Rows past the end are zero.
   *
   * @return the last block that is not zero
   */
  private int solve(Workload workload, int first) {
    int end = Math.min(steps, first + slabRows);
    int last = (end - 1) / width;
    double[][] rows = new double[end - first][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = workload.row(first + i);
    }
    try (INDArray right = Nd4j.create(DataType.DOUBLE, new long[] {slabRows, width}, 'f')) {
      for (int j = last; j >= 0; j--) {
        Arrays.fill(slabBlock, 0);
        for (int i = 0; i < rows.length; i++) {
          int filled = Math.min(width, rows[i].length - j * width);
          for (int c = 0; c < filled; c++) {
            slabBlock[c * slabRows + i] = rows[i][j * width + c];
          }
        }
        write(slabBlock, right);
        if (j < last) {
          Nd4j.gemm(slab[j + 1], below[j], right, false, false, -1, 1);
        }
        Nd4j.gemm(right, inverse[j], slab[j], false, false, 1, 0);
      }
    }
    return last;
  }

  @Override
  public void close() {
    closeAll(diagonal, inverse, below, slab);
  }

  private static void closeAll(INDArray[]... groups) {
    for (INDArray[] group : groups) {
      for (INDArray array : group) {
        array.close();
      }
    }
  }
}
