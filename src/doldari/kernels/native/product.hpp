// Matrix products of any views: pack one matrix in panels, block by block, then multiply tiles of rows by it.
//
// A product with fewer than four rows reads the matrix as it lies.  Every element's sum runs over k in ascending order
// either way: the same bits.

#pragma once

#include <cstring>

#include "kernels.hpp"
#include "tile.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

/// How a product begins: from what is in out, else from the bias of each column, else from zero.
template <class Real>
struct Start {
    bool add;
    const Real* bias;  // or null
};

/// out (M x N) = start + a (M x K) b (K x N), with K taken in blocks of which a group of panels of b is packed at once.
///
/// take_a(k, depth, row, height, scratch, starts) points starts at a[row .. row + height)[k ..], A_STEP apart over k,
/// packing them into scratch (depth x TILE) if need be; pack_b(k, depth, panel, panels, to) packs rows k .. of so many
/// panels of b.  So a and b can lie in memory as they like.  Columns are shared out among the threads, or rows.
template <long A_STEP, class Real, class TakeA, class PackB>
void blocked_product(Real* out, long M, long N, long K, Start<Real> start, bool by_columns, const TakeA& take_a,
                     const PackB& pack_b) {
    constexpr long GROUP_SIZE = 1 << 17;  // numbers of b: 512 KiB, most of which stay in the second-level cache
    const long panels = ceil_divide(N, PANEL<Real>), panel_size = (K > 0 ? least(K, K_BLOCK) : 1) * PANEL<Real>;
    const long group = least(panels, GROUP_SIZE / panel_size), scratch_size = group * panel_size + ROW_BLOCK * K_BLOCK;
    const long items = by_columns ? panels : ceil_divide(M, TILE), parts = part_count(items, 2.0 * M * N * K);
    const Buffer<Real> scratch(parts * scratch_size);
    parallel(parts, [&](long part) {
        Real *packed_b = scratch + part * scratch_size, *packed_a = packed_b + group * panel_size;
        const long first = items * part / parts, last = items * (part + 1) / parts;
        const long first_row = by_columns ? 0 : first * TILE, last_row = by_columns ? M : least(M, last * TILE);
        const long last_panel = by_columns ? last : panels;
        for (long panel = by_columns ? first : 0; panel < last_panel; panel += group) {
            const long count = least(last_panel - panel, group), column = panel * PANEL<Real>;
            for (long k = 0; k < K || k == 0; k += K_BLOCK) {
                const long depth = least(K - k, K_BLOCK);
                pack_b(k, depth, panel, count, packed_b);
                for (long row = first_row; row < last_row; row += ROW_BLOCK) {
                    const long rows = least(last_row - row, ROW_BLOCK);
                    const Real* a_rows[ROW_BLOCK];
                    Real* out_rows[ROW_BLOCK];
                    for (long r = 0; r < rows; r += TILE)
                        take_a(k, depth, row + r, least(rows - r, TILE), packed_a + r * K_BLOCK, a_rows + r);
                    for (long r = 0; r < rows; ++r) {
                        out_rows[r] = out + (row + r) * N;
                        if (k == 0 && start.bias != nullptr)
                            std::memcpy(out_rows[r] + column, start.bias + column,
                                        least(count * PANEL<Real>, N - column) * sizeof(Real));
                    }
                    const bool add = start.add || start.bias != nullptr || k > 0;
                    for (long i = 0; i < count; ++i)
                        panel_product<A_STEP>(a_rows, rows, DENSE, packed_b + i * depth * PANEL<Real>, depth, add,
                                              out_rows, column + i * PANEL<Real>, N - column - i * PANEL<Real>);
                }
            }
        }
    });
}

/// out (M x N) = start + a (M x K) b (K x N).
template <class Real>
void product(Real* out, long M, long N, long K, Start<Real> start, const View<Real>& a, const View<Real>& b) {
    if (M < 4 && b.column_stride == 1) {  // to pack b would take longer than the product
        for (long row = 0; row < M; ++row) {
            Real* to = out + row * N;
            if (!start.add)
                for (long j = 0; j < N; ++j) to[j] = start.bias != nullptr ? start.bias[j] : 0;
            add_row_product(to, a.at(row, 0), a.column_stride, b.at(0, 0), b.row_stride, K, N);
        }
        return;
    }
    const auto pack_b = [&](long k, long depth, long panel, long panels, Real* to) {
        for (long i = 0; i < panels; ++i)
            pack_panel(b.at(k, 0), b.row_stride, b.column_stride, depth, N, panel + i, to + i * depth * PANEL<Real>);
    };
    // By columns each thread reads all of a; by rows each packs all of b, which costs more a number.
    const bool by_columns = M <= 4 * N;
    if (a.column_stride == 1) {
        blocked_product<1>(out, M, N, K, start, by_columns,
                           [&](long k, long, long row, long height, Real*, const Real** starts) {
                               for (long r = 0; r < height; ++r) starts[r] = a.at(row + r, k);
                           },
                           pack_b);
    } else {
        blocked_product<TILE>(out, M, N, K, start, by_columns,
                              [&](long k, long depth, long row, long height, Real* to, const Real** starts) {
                                  for (long i = 0; i < depth; ++i) {
                                      const Real* from = a.at(row, k + i);
                                      if (a.row_stride == 1) copy_tile(to + i * TILE, from, height);
                                      else for (long r = 0; r < height; ++r) to[i * TILE + r] = from[r * a.row_stride];
                                  }
                                  for (long r = 0; r < height; ++r) starts[r] = to + r;
                              },
                              pack_b);
    }
}

template <class Real>
void add_product(const AddProduct<Real>& p) {
    product(p.out, p.M, p.N, p.K, {true, nullptr}, p.a, p.b);
}

template <class Real>
void affine(const Affine<Real>& p) {
    product(p.out, p.M, p.N, p.K, {false, p.bias}, p.a, p.b);
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
