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

#include "kernels.hpp"
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

/// Add the product of rows of a and a packed panel to `columns` columns of out, of which there may be fewer.
template <class Real>
void add_panel_product(const Real* const* a, long rows, const Real* b, long K, Real* const* out, long column,
                       long columns) {
    if (columns >= PANEL<Real>) return panel_product(a, rows, b, K, true, out, column);
    Real whole[TILE][PANEL<Real>];
    Real* starts[TILE];
    for (long r = 0; r < TILE; ++r) starts[r] = whole[r];
    for (long r = 0; r < rows; r += TILE) {
        const long height = rows - r < TILE ? rows - r : TILE;
        panel_product(a + r, height, b, K, false, starts, 0);
        for (long i = 0; i < height; ++i)
            for (long j = 0; j < columns; ++j) out[r + i][column + j] += whole[i][j];
    }
}

/// A tile over a transposed packed a (K x TILE) that is added to `width` columns of out, up to a panel.
template <class Real>
void ragged_panel_tile(const Real* const* a, long rows, const Real* b, long K, Real* const* out, long width) {
    if (width == PANEL<Real>) return ragged_tile<Real, TILE>(a, rows, b, K, true, out, 0);
    Real whole[TILE][PANEL<Real>];
    Real* starts[TILE] = {};
    for (long r = 0; r < rows; ++r) {
        starts[r] = whole[r];
        copy_panel(whole[r], out[r], width);
    }
    ragged_tile<Real, TILE>(a, rows, b, K, true, starts, 0);
    for (long r = 0; r < rows; ++r) std::memcpy(out[r], whole[r], width * sizeof(Real));
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

/// Pack panel `panel` of b (K x columns), b[k][j] = from[k * row_stride + j * column_stride], zeros past the columns.
template <class Real>
void pack_panel(const Real* from, long row_stride, long column_stride, long K, long columns, long panel, Real* to) {
    // Of a transpose, 16 numbers of a column at a time: taken one by one across the columns, which often lie a multiple
    // of 2 KiB apart, they would push each other out of the first-level cache.
    constexpr long RUN = 16;
    const long start = panel * PANEL<Real>;
    const long width = columns - start < PANEL<Real> ? columns - start : PANEL<Real>;
    from += start * column_stride;
    if (column_stride == 1) {
        for (long k = 0; k < K; ++k) copy_panel(to + k * PANEL<Real>, from + k * row_stride, width);
        return;
    }
    for (long run = 0; run < K; run += RUN) {
        const long end = K < run + RUN ? K : run + RUN;
        for (long j = 0; j < PANEL<Real>; ++j)
            for (long k = run; k < end; ++k)
                to[k * PANEL<Real> + j] = j < width ? from[k * row_stride + j * column_stride] : 0;
    }
}

/// to[j] += factor * from[j].
template <class Real>
inline void add_scaled(Real* __restrict to, const Real* __restrict from, Real factor, long size) {
    for (long j = 0; j < size; ++j) to[j] += factor * from[j];
}

/// out (M x N) += a (M x K) b (K x N), with a's rows dense: only b is packed, by the thread that uses it.
template <class Real>
void add_rows_product(Real* out, long M, long N, long K, const View<Real>& a, const View<Real>& b) {
    constexpr long ROWS = 4 * TILE, MOST_PACKED = 1 << 15;  // numbers of b: with ROWS of a they fit the second-level cache
    const long panels = ceil_divide(N, PANEL<Real>), panel_size = K * PANEL<Real>;
    if (M == 0 || panel_size == 0) return;
    if (M < 4 && b.column_stride == 1) {  // to pack b would take longer than the product
        for (long row = 0; row < M; ++row)
            for (long k = 0; k < K; ++k) add_scaled(out + row * N, b.at(k, 0), *a.at(row, k), N);
        return;
    }
    const long parts = part_count(panels > M ? panels : M, 2.0 * M * N * K);
    const bool by_panels = panels >= 4 * parts;
    const long group = MOST_PACKED > panel_size ? MOST_PACKED / panel_size : 1;
    const Buffer<Real> packed(parts * group * panel_size);
    parallel(parts, [&](long part) {
        const auto share = [&](long items, long at) { return items * at / parts; };
        const long last_panel = by_panels ? share(panels, part + 1) : panels;
        const long first_row = by_panels ? 0 : share(M, part), last_row = by_panels ? M : share(M, part + 1);
        Real* mine = packed + part * group * panel_size;
        for (long start = by_panels ? share(panels, part) : 0; start < last_panel; start += group) {
            const long count = last_panel - start < group ? last_panel - start : group;
            for (long i = 0; i < count; ++i)
                pack_panel(b.data, b.row_stride, b.column_stride, K, N, start + i, mine + i * panel_size);
            for (long row = first_row; row < last_row; row += ROWS) {
                const long rows = last_row - row < ROWS ? last_row - row : ROWS;
                const Real* a_rows[ROWS];
                Real* out_rows[ROWS];
                for (long r = 0; r < rows; ++r) {
                    a_rows[r] = a.at(row + r, 0);
                    out_rows[r] = out + (row + r) * N;
                }
                for (long i = 0; i < count; ++i) {
                    const long column = (start + i) * PANEL<Real>;
                    add_panel_product(a_rows, rows, mine + i * panel_size, K, out_rows, column, N - column);
                }
            }
        }
    });
}

// How many panels of b are packed at once for `add_product`: 512 KiB, half of which each of two threads uses.
constexpr long PANEL_BLOCK = 32;

/// out (M x N) += a (M x K) b (K x N) for rows first_row .. and panels first_panel .. of out.
///
/// pack_a(k, row, height, to) writes a[row .. row + height)[k] and pack_b(k, column, width, to) writes
/// b[k][column .. column + width), so that a and b can lie in memory as they like.  packed is scratch: a tile of
/// a and the panels of b, K_BLOCK deep.
template <class Real, class PackA, class PackB>
void add_product_part(Real* out, long N, long K, const PackA& pack_a, const PackB& pack_b, long first_row,
                      long last_row, long first_panel, long last_panel, Real* packed) {
    Real *a = packed, *b = packed + K_BLOCK * TILE;
    const Real* columns[TILE];
    for (long r = 0; r < TILE; ++r) columns[r] = a + r;
    for (long start = first_panel; start < last_panel; start += PANEL_BLOCK) {
        const long panels = last_panel - start < PANEL_BLOCK ? last_panel - start : PANEL_BLOCK;
        const auto width = [&](long panel) {
            const long left = N - (start + panel) * PANEL<Real>;
            return left < PANEL<Real> ? left : PANEL<Real>;
        };
        for (long block = 0; block < K; block += K_BLOCK) {
            const long depth = K - block < K_BLOCK ? K - block : K_BLOCK;
            for (long k = 0; k < depth; ++k)
                for (long panel = 0; panel < panels; ++panel)
                    pack_b(block + k, (start + panel) * PANEL<Real>, width(panel),
                           b + (panel * K_BLOCK + k) * PANEL<Real>);
            for (long row = first_row; row < last_row; row += TILE) {
                const long height = last_row - row < TILE ? last_row - row : TILE;
                for (long k = 0; k < depth; ++k) pack_a(block + k, row, height, a + k * TILE);
                for (long panel = 0; panel < panels; ++panel) {
                    Real* rows[TILE];
                    for (long r = 0; r < height; ++r) rows[r] = out + (row + r) * N + (start + panel) * PANEL<Real>;
                    ragged_panel_tile(columns, height, b + panel * K_BLOCK * PANEL<Real>, depth, rows, width(panel));
                }
            }
        }
    }
}

/// The same for all of out, shared out by rows or by panels, of which an element's sum knows nothing.
template <class Real, class PackA, class PackB>
void add_product(Real* out, long M, long N, long K, const PackA& pack_a, const PackB& pack_b) {
    const long tiles = ceil_divide(M, TILE), panels = ceil_divide(N, PANEL<Real>);
    const bool by_rows = tiles > panels;
    const long items = by_rows ? tiles : panels, parts = part_count(items, 2.0 * M * N * K);
    const long panels_each = by_rows ? panels : ceil_divide(panels, parts);
    const long scratch = K_BLOCK * (TILE + (panels_each < PANEL_BLOCK ? panels_each : PANEL_BLOCK) * PANEL<Real>);
    const Buffer<Real> packed(parts * scratch);
    parallel(parts, [&](long part) {
        const long first = items * part / parts, last = items * (part + 1) / parts;
        Real* mine = packed + part * scratch;
        if (by_rows)
            add_product_part(out, N, K, pack_a, pack_b, first * TILE, M < last * TILE ? M : last * TILE, 0, panels, mine);
        else
            add_product_part(out, N, K, pack_a, pack_b, 0, M, first, last, mine);
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
