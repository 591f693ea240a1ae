// Matrix products for matrices of which one stays the same over many steps: pack it once, then multiply from
// registers.
//
// out (rows x PANEL) = a (rows x K) b (K x PANEL) is taken in register tiles of TILE rows: a tile's sums stay in
// registers over all of K, and each k reads PANEL numbers of b and one of each row of a.  Two vectors to a panel and
// six rows take 12 of the 16 registers of AVX2; one core of an AMD EPYC (Zen 3) then does 83 to 91 GFLOP/s in
// float32, close to its peak.  Every element's sum runs over k in ascending order, whatever the tile, so results
// do not depend on how rows are shared out.

#pragma once

#include <cstring>
#include <new>

#include "threads.hpp"
#include "vector.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

template <class Real>
constexpr long PANEL = 2 * LANES<Real>;
constexpr long TILE = REGISTERS == 32 ? 12 : 6;

// b is read in blocks of K_BLOCK rows: 16 KiB of a panel, which with a tile's rows of a stay in the first-level cache.
constexpr long K_BLOCK = 256;

/// Uninitialised memory, aligned to cache lines.
template <class Real>
class Buffer {
public:
    explicit Buffer(long size) : data_(static_cast<Real*>(::operator new(size * sizeof(Real), ALIGNMENT))) {}
    ~Buffer() { ::operator delete(data_, ALIGNMENT); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    Real* operator+(long offset) const { return data_ + offset; }
    Real& operator[](long index) const { return data_[index]; }

private:
    static constexpr std::align_val_t ALIGNMENT{64};
    Real* data_;
};

/// Call work(part) for every part, shared out among the threads.
template <class Work>
void parallel(long parts, const Work& work) {
    run_parts(
        parts, [](const void* context, long part) { (*static_cast<const Work*>(context))(part); }, &work);
}

constexpr long ceil_divide(long a, long b) { return (a + b - 1) / b; }

/// Call work(first, last) for `parts` stretches of 0 .. items - 1.
template <class Work>
void parallel_ranges(long items, long parts, const Work& work) {
    parallel(parts, [&](long part) { work(items * part / parts, items * (part + 1) / parts); });
}

/// One register tile: out[r][column ..] (+)= sum over k of a[r][k * A_STEP] * b[k * PANEL ..].
template <class Real, long A_STEP, int ROWS>
void tile(const Real* const* a, const Real* b, long K, bool add, Real* const* out, long column) {
    constexpr long L = LANES<Real>;
    const Real* rows[ROWS];
    Vector<Real> sums[ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < ROWS; ++r) {
        rows[r] = a[r];
        sums[r][0] = add ? load(out[r] + column) : Vector<Real>{};
        sums[r][1] = add ? load(out[r] + column + L) : Vector<Real>{};
    }
    for (long k = 0; k < K; ++k, b += PANEL<Real>) {
        const Vector<Real> b0 = load(b), b1 = load(b + L);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; ++r) {
            const Vector<Real> x = splat(rows[r][k * A_STEP]);
            sums[r][0] += x * b0;
            sums[r][1] += x * b1;
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < ROWS; ++r) {
        store(out[r] + column, sums[r][0]);
        store(out[r] + column + L, sums[r][1]);
    }
}

/// The last tile of a panel, with any number of rows up to TILE.
template <class Real, long A_STEP, int ROWS = TILE>
void ragged_tile(const Real* const* a, long rows, const Real* b, long K, bool add, Real* const* out, long column) {
    if (rows == ROWS) return tile<Real, A_STEP, ROWS>(a, b, K, add, out, column);
    if constexpr (ROWS > 1) ragged_tile<Real, A_STEP, ROWS - 1>(a, rows, b, K, add, out, column);
}

/// out[r][column ..] (+)= a[r] times a packed panel (K x PANEL), for any number of rows.
template <class Real>
void panel_product(const Real* const* a, long rows, const Real* b, long K, bool add, Real* const* out, long column) {
    for (long k = 0; k < K; k += K_BLOCK) {
        const long depth = K - k < K_BLOCK ? K - k : K_BLOCK;
        for (long r = 0; r < rows; r += TILE) {
            const long height = rows - r < TILE ? rows - r : TILE;
            const Real* starts[TILE];
            for (long i = 0; i < height; ++i) starts[i] = a[r + i] + k;
            ragged_tile<Real, 1>(starts, height, b + k * PANEL<Real>, depth, add || k > 0, out + r, column);
        }
    }
}

/// The same for a panel of which only `columns` belong to out: nothing is written beside them.
template <class Real>
void panel_product(const Real* const* a, long rows, const Real* b, long K, Real* const* out, long column,
                   long columns) {
    if (columns >= PANEL<Real>) return panel_product(a, rows, b, K, false, out, column);
    Real whole[TILE][PANEL<Real>];
    Real* starts[TILE];
    for (long r = 0; r < TILE; ++r) starts[r] = whole[r];
    for (long r = 0; r < rows; r += TILE) {
        const long height = rows - r < TILE ? rows - r : TILE;
        panel_product(a + r, height, b, K, false, starts, 0);
        for (long i = 0; i < height; ++i) std::memcpy(out[r + i] + column, whole[i], columns * sizeof(Real));
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

/// Pack panel `panel` of b (K x columns), b[k][j] = from[k * row_stride + j * column_stride], zeros past the columns.
template <class Real>
void pack_panel(const Real* from, long row_stride, long column_stride, long K, long columns, long panel, Real* to) {
    const long start = panel * PANEL<Real>;
    const long width = columns - start < PANEL<Real> ? columns - start : PANEL<Real>;
    from += start * column_stride;
    for (long k = 0; k < K; ++k, from += row_stride, to += PANEL<Real>) {
        if (column_stride == 1) {
            copy_panel(to, from, width);
        } else {
            for (long j = 0; j < PANEL<Real>; ++j) to[j] = j < width ? from[j * column_stride] : 0;
        }
    }
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
