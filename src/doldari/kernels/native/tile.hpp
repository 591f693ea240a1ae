// What all matrix products are made of: a few rows times a packed panel, from registers, and one row times a matrix as
// it lies.
//
// out (rows x PANEL) = a (rows x K) b (K x PANEL) is taken in register tiles of TILE rows: a tile's sums stay in
// registers over all of K, and each k reads PANEL numbers of b and one of each row of a.  Two vectors to a panel and
// six rows take 12 of the 16 registers of AVX2; one core of an AMD EPYC (Zen 3) then does 83 to 91 GFLOP/s in
// float32, close to its peak.  Every element's sum runs over k in ascending order, whatever the tile, so results
// do not depend on how rows and columns are shared out.

#pragma once

#include <cstring>

#include "parallel.hpp"
#include "vector.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

template <class Real>
constexpr long PANEL = 2 * LANES<Real>;
constexpr long TILE = REGISTERS == 32 ? 12 : 6;

// b is read in blocks of K_BLOCK rows: 16 KiB of a panel, which with a tile's rows of a stay in the first-level cache.
constexpr long K_BLOCK = 256;

// How many rows go by a panel while it is in the first-level cache.
constexpr long ROW_BLOCK = 4 * TILE;

/// How a row of a lies in memory: runs of `run` numbers, of which each begins `jump` after the one before.
struct Runs {
    long run, jump;

    long offset(long k) const { return k / run * jump + k % run; }
};
constexpr Runs DENSE{1L << 40, 0};

/// One register tile: out[r][column ..] (+)= sum over k of a[r][k] * b[k * PANEL ..], for K of at least 1.  With A_STEP
/// other than 1 the numbers of a row of a stand so far apart, in a single run.
template <long A_STEP, int ROWS, class Real>
void whole_tile(const Real* const* a, Runs runs, const Real* b, long K, bool add, Real* const* out, long column) {
    constexpr long L = LANES<Real>;
    const Real* rows[ROWS];
    Vector<Real> sums[ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < ROWS; ++r) {
        rows[r] = a[r];
        sums[r][0] = add ? load(out[r] + column) : Vector<Real>{};
        sums[r][1] = add ? load(out[r] + column + L) : Vector<Real>{};
    }
    do {  // loops that run at least once: otherwise the sums are moved about for the case that they do not
        const long depth = least(K, runs.run);
        long k = 0;
        do {
            const Vector<Real> b0 = load(b), b1 = load(b + L);
#pragma GCC unroll 12
            for (int r = 0; r < ROWS; ++r) {
                const Vector<Real> x = splat(rows[r][k * A_STEP]);
                sums[r][0] += x * b0;
                sums[r][1] += x * b1;
            }
            b += PANEL<Real>;
        } while (++k < depth);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; ++r) rows[r] += runs.jump;
        K -= depth;
    } while (K > 0);
#pragma GCC unroll 12
    for (int r = 0; r < ROWS; ++r) {
        store(out[r] + column, sums[r][0]);
        store(out[r] + column + L, sums[r][1]);
    }
}

/// The same for any number of rows up to TILE.
template <long A_STEP, int ROWS = TILE, class Real>
void tile(const Real* const* a, long rows, Runs runs, const Real* b, long K, bool add, Real* const* out, long column) {
    if (rows == ROWS) return whole_tile<A_STEP, ROWS>(a, runs, b, K, add, out, column);
    if constexpr (ROWS > 1) tile<A_STEP, ROWS - 1>(a, rows, runs, b, K, add, out, column);
}

/// Copy `height` numbers of a column of a tile.
template <class Real>
inline void copy_tile(Real* to, const Real* from, long height) {
    if (height == TILE) {
        std::memcpy(to, from, TILE * sizeof(Real));
    } else {
        for (long r = 0; r < height; ++r) to[r] = from[r];
    }
}

/// Copy a panel's row, of which `width` numbers are there, with zeros after them.
template <class Real>
inline void copy_panel(Real* to, const Real* from, long width) {
    if (width >= PANEL<Real>) {
        std::memcpy(to, from, PANEL<Real> * sizeof(Real));
    } else {
        for (long j = 0; j < PANEL<Real>; ++j) to[j] = j < width ? from[j] : 0;
    }
}

/// The same where out has only `columns` columns, fewer than a panel: nothing is read or written beside them.
template <long A_STEP, class Real>
void narrow_tile(const Real* const* a, long rows, Runs runs, const Real* b, long K, bool add, Real* const* out,
                 long column, long columns) {
    Real whole[TILE][PANEL<Real>];
    Real* starts[TILE] = {};
    for (long r = 0; r < rows; ++r) {
        starts[r] = whole[r];
        if (add) copy_panel(whole[r], out[r] + column, columns);
    }
    tile<A_STEP>(a, rows, runs, b, K, add, starts, 0);
    for (long r = 0; r < rows; ++r) std::memcpy(out[r] + column, whole[r], columns * sizeof(Real));
}

/// out[r][column ..] (+)= a[r] times a packed panel (K x PANEL), for any number of rows; out ends after `columns`.
template <long A_STEP = 1, class Real>
void panel_product(const Real* const* a, long rows, Runs runs, const Real* b, long K, bool add, Real* const* out,
                   long column, long columns = PANEL<Real>) {
    if (K == 0 && !add)
        for (long r = 0; r < rows; ++r) std::memset(out[r] + column, 0, least(columns, PANEL<Real>) * sizeof(Real));
    for (long k = 0; k < K; k += K_BLOCK) {
        const long depth = least(K - k, K_BLOCK), offset = runs.offset(k) * A_STEP;
        for (long r = 0; r < rows; r += TILE) {
            const long height = least(rows - r, TILE);
            const Real* starts[TILE];
            for (long i = 0; i < height; ++i) starts[i] = a[r + i] + offset;
            if (columns >= PANEL<Real>)
                tile<A_STEP>(starts, height, runs, b + k * PANEL<Real>, depth, add || k > 0, out + r, column);
            else
                narrow_tile<A_STEP>(starts, height, runs, b + k * PANEL<Real>, depth, add || k > 0, out + r, column,
                                    columns);
        }
    }
}

/// Pack panel `panel` of b (K x columns), b[k][j] = from[k * row_stride + j * column_stride], zeros past the columns.
template <class Real>
void pack_panel(const Real* from, long row_stride, long column_stride, long K, long columns, long panel, Real* to) {
    // Of a transpose, 16 numbers of a column at a time: taken one by one across the columns, which often lie a multiple
    // of 2 KiB apart, they would push each other out of the first-level cache.
    constexpr long RUN = 16;
    const long start = panel * PANEL<Real>, width = least(columns - start, PANEL<Real>);
    from += start * column_stride;
    if (column_stride == 1) {
        for (long k = 0; k < K; ++k) copy_panel(to + k * PANEL<Real>, from + k * row_stride, width);
        return;
    }
    long packed = 0;
#ifdef DOLDARI_TRANSPOSES
    constexpr long L = LANES<Real>;
    for (; row_stride == 1 && packed + L <= K; packed += L)
        for (long j = 0; j < PANEL<Real>; j += L) {
            Vector<Real> square[L];
            for (long i = 0; i < L; ++i)
                square[i] = j + i < width ? load(from + (j + i) * column_stride + packed) : Vector<Real>{};
            transpose<Real>(square);
            for (long i = 0; i < L; ++i) store(to + (packed + i) * PANEL<Real> + j, square[i]);
        }
#endif
    for (long run = packed; run < K; run += RUN)
        for (long j = 0; j < PANEL<Real>; ++j)
            for (long k = run; k < least(K, run + RUN); ++k)
                to[k * PANEL<Real> + j] = j < width ? from[k * row_stride + j * column_stride] : 0;
}

/// to[j] += factor * from[j].
template <class Real>
inline void add_to(Real* __restrict to, const Real* __restrict from, long size, Real factor = 1) {
    for (long j = 0; j < size; ++j) to[j] += factor * from[j];
}

/// to[j] += sum over k of x[k * x_step] * b[k * stride + j], for K rows of b as they lie.
///
/// In the order of k, as in a tile: the same bits.  (Not inlined: where Clang knows that `to` is zeros it rounds
/// otherwise.)  Four rows at a time: otherwise `to` is read and written most.
template <class Real>
[[gnu::noinline]] void add_row_product(Real* __restrict to, const Real* x, long x_step, const Real* b, long stride,
                                      long K, long columns) {
    constexpr long ROWS = 4;
    for (; K >= ROWS; K -= ROWS, x += ROWS * x_step, b += ROWS * stride) {
        const Real x0 = x[0], x1 = x[x_step], x2 = x[2 * x_step], x3 = x[3 * x_step];
        const Real *b1 = b + stride, *b2 = b1 + stride, *b3 = b2 + stride;
        for (long j = 0; j < columns; ++j) {
            Real sum = to[j];
            sum += x0 * b[j];
            sum += x1 * b1[j];
            sum += x2 * b2[j];
            sum += x3 * b3[j];
            to[j] = sum;
        }
    }
    for (; K > 0; --K, x += x_step, b += stride) add_to(to, b, columns, *x);
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
