// What the recurrent layers share.  Each thread takes its own rows of the batch through all time steps, so nobody waits
// for anybody at a step; rows at padding are left out of the products and cost nothing.
//
// A layer gives a Step, where one row finds its inputs and leaves its results at one step, with its number of gates
// that are products with h, GATES; and its cell, forward and backward.

#pragma once

#include "kernels.hpp"
#include "product.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

// The units of a layer are taken in groups as wide as a panel, each with a panel for every gate.
template <class Real>
constexpr long GROUP = PANEL<Real>;

/// How long Wh (H x gates * H) is when packed by `pack_gates`, or its transpose by `pack_transpose`.
template <class Real>
long packed_size(long H, long gates) {
    return ceil_divide(H, GROUP<Real>) * GROUP<Real> * gates * H;
}

/// Pack Wh (H x gates * H) in panels: for each group of units those of its gates.
template <class Real>
void pack_gates(const Real* Wh, long H, long gates, const Buffer<Real>& packed) {
    const long panels = gates * ceil_divide(H, GROUP<Real>);
    parallel_ranges(panels, part_count(panels, 8.0 * gates * H * H), [&](long first, long last) {
        for (long panel = first; panel < last; ++panel) {
            const long gate = panel % gates, group = panel / gates;
            pack_panel(Wh + gate * H, gates * H, 1, H, H, group, packed + panel * H * PANEL<Real>);
        }
    });
}

/// Pack the transpose of Wh (H x gates * H) in panels.
template <class Real>
void pack_transpose(const Real* Wh, long H, long gates, const Buffer<Real>& packed) {
    const long panels = ceil_divide(H, PANEL<Real>), K = gates * H;
    parallel_ranges(panels, part_count(panels, 8.0 * K * H), [&](long first, long last) {
        for (long panel = first; panel < last; ++panel)
            pack_panel(Wh, 1, K, K, H, panel, packed + panel * K * PANEL<Real>);
    });
}

/// One time step of `rows` rows: the products with Wh, then `cell_forward`.
///
/// All of them go by a group of units before the next, since the weights of a large layer come from far.
template <class Real, class Step>
void step_forward(const Step* steps, long rows, const Real* packed, long H) {
    constexpr long GATES = Step::GATES, LINE = 64 / sizeof(Real);
    alignas(64) Real sums[ROW_BLOCK][GATES * GROUP<Real>];
    const Real* h_previous[ROW_BLOCK];
    Real* starts[ROW_BLOCK];
    for (long r = 0; r < ROW_BLOCK; ++r) starts[r] = sums[r];
    for (long unit = 0; unit < H; unit += GROUP<Real>, packed += GATES * H * PANEL<Real>) {
        const bool whole = unit + GROUP<Real> <= H;
        for (long start = 0; start < rows; start += ROW_BLOCK) {
            const long count = least(rows - start, ROW_BLOCK);
            for (long r = 0; r < count; ++r) {
                h_previous[r] = steps[start + r].h_previous;
                // The memory that will be written to comes while the products are taken.
                for (long j = unit; j < least(H, unit + GROUP<Real>); j += LINE)
                    steps[start + r].prefetch_results(H, j);
            }
            for (long gate = 0; gate < GATES; ++gate)
                panel_product(h_previous, count, packed + gate * H * PANEL<Real>, H, false, starts, gate * GROUP<Real>);
            for (long r = 0; r < count; ++r) {
                if (whole) cell_forward<true>(sums[r], steps[start + r], H, unit);
                else cell_forward<false>(sums[r], steps[start + r], H, unit);
            }
        }
    }
}

/// Run over time; at padding `pass_state` copies the state.
template <class Step, template <class> class Forward, class Real>
void forward(const Forward<Real>& p) {
    const long N = p.N, T = p.T, H = p.H;
    const Buffer<Real> packed(packed_size<Real>(H, Step::GATES));
    pack_gates(p.Wh, H, Step::GATES, packed);
    parallel_ranges(N, part_count(N, 2.0 * Step::GATES * N * T * H * H), [&](long first, long last) {
        const Buffer<Step> steps(last - first);
        for (long t = 0; t < T; ++t) {
            long rows = 0;
            for (long n = first; n < last; ++n) {
                const Step step = Step::at(p, n, t);
                if (p.mask != nullptr && !p.mask[n * T + t]) step.pass_state(H);
                else steps[rows++] = step;
            }
            step_forward(steps + 0, rows, packed + 0, H);
        }
    });
}

/// Take rows first .. last - 1 back to the first state: at each step the cell, then the products with Wh transposed.
///
/// cell(n, t) writes dgates, of which the first GATES * H numbers go into the products.  They give dh, or are added to
/// what the cell left there.
template <long GATES, template <class> class Backward, class Real, class Cell>
void backward_rows(const Backward<Real>& p, const Real* packed, bool add, long first, long last, const Cell& cell) {
    const long T = p.T, H = p.H, K = GATES * H;
    const Buffer<const Real*> das(last - first);
    const Buffer<Real*> dhs(last - first);
    for (long t = T - 1; t >= 0; --t) {
        long rows = 0;
        for (long n = first; n < last; ++n) {
            const long at = n * T + t;
            Real *dh = p.dh + n * H, *dgates = p.dgates + at * 4 * H;
            if (p.dhs != nullptr) add_to(dh, p.dhs + at * H, H);
            if (p.mask != nullptr && !p.mask[at]) {
                std::memset(dgates, 0, 4 * H * sizeof(Real));
                continue;
            }
            cell(n, t);
            das[rows] = dgates;
            dhs[rows++] = dh;
        }
        // A block of the gates at a time, so that all rows' stay in the second-level cache while the weights go by.
        for (long k = 0; k < K; k += K_BLOCK) {
            const long depth = least(K - k, K_BLOCK);
            for (long unit = 0; unit < H; unit += PANEL<Real>)
                panel_product(das + 0, rows, packed + unit * K + k * PANEL<Real>, depth, add || k > 0, dhs + 0, unit,
                              H - unit);
            for (long r = 0; r < rows; ++r) das[r] += depth;
        }
    }
}

/// What one position adds: h_previous^T dgates to the gradient of Wh, and dgates to its row of dtable and dcontext.
template <class Real>
struct Position {
    const Real *h_previous, *dgates;
    Real *dtable, *dcontext;  // dcontext may be null
};

/// Take all rows back to the first state, then add to dWh, dtable and dcontext at the positions that are not padding.
///
/// The last gate of a layer may not be a plain sum of the two products.  Then the gradient of its product with h is in
/// dgates where it would be otherwise, and the gradient of its input product stands H further: from the column
/// `shared` on.
template <long GATES, template <class> class Backward, class Real, class Cell>
void backward(const Backward<Real>& p, bool add, long shared, const Cell& cell) {
    const long N = p.N, T = p.T, H = p.H, columns = GATES * H;
    {
        const Buffer<Real> packed(packed_size<Real>(H, GATES));
        pack_transpose(p.Wh, H, GATES, packed);
        parallel_ranges(N, part_count(N, 2.0 * GATES * N * T * H * H), [&](long first, long last) {
            backward_rows<GATES>(p, packed + 0, add, first, last, cell);
        });
    }
    const Buffer<Position<Real>> positions(N * T);
    long count = 0;
    for (long n = 0, at = 0; n < N; ++n) {
        for (long t = 0; t < T; ++t, ++at) {
            if (p.mask != nullptr && !p.mask[at]) continue;
            positions[count++] = {t > 0 ? p.hs + (at - 1) * H : p.h0[n], p.dgates + at * 4 * H,
                                  p.dtable + p.rows[at] * columns,
                                  p.dcontext == nullptr ? nullptr : p.dcontext + n * columns};
        }
    }
    // By columns, so that every number of dgates is packed once, and added to dtable and dcontext in order.
    blocked_product<TILE>(
        p.dWh, H, columns, count, {true, nullptr}, true,
        [&](long k, long depth, long row, long height, Real* to, const Real** starts) {
            for (long i = 0; i < depth; ++i)
                copy_tile(to + i * TILE, positions[k + i].h_previous + row, height);
            for (long r = 0; r < height; ++r) starts[r] = to + r;
        },
        [&](long k, long depth, long panel, long panels, Real* to) {
            const long column = panel * PANEL<Real>, end = least(column + panels * PANEL<Real>, columns);
            const long middle = column > shared ? column : least(end, shared);
            for (long i = 0; i < depth; ++i) {
                const auto [h_previous, dgates, dtable, dcontext] = positions[k + i];
                for (long j = column; j < end; j += PANEL<Real>)
                    copy_panel(to + ((j - column) * depth + i * PANEL<Real>), dgates + j, end - j);
                add_to(dtable + column, dgates + column, middle - column);
                add_to(dtable + middle, dgates + middle + H, end - middle);
                if (dcontext == nullptr) continue;
                add_to(dcontext + column, dgates + column, middle - column);
                add_to(dcontext + middle, dgates + middle + H, end - middle);
            }
        });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
