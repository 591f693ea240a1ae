// What the recurrent layers share.  Each thread takes its own rows of the batch through all time steps, so nobody waits
// for anybody at a step; rows at padding are left out of the products and cost nothing.

#pragma once

#include "kernels.hpp"
#include "product.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

// The units of a layer are taken in groups as wide as a panel, each with a panel for every gate.
template <class Real>
constexpr long GROUP = PANEL<Real>;

// How many rows go through the product together: their states and gate sums (for H 128, 20 KiB in float32) share
// the first-level cache with a panel.
constexpr long ROW_BLOCK = 4 * TILE;

/// How long Wh (H x gates * H) is when packed by `pack_gates`.
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

/// Pack the transpose of Wh (H x gates * H) in panels; it is as long as the gates' panels.
template <class Real>
void pack_transpose(const Real* Wh, long H, long gates, const Buffer<Real>& packed) {
    const long panels = ceil_divide(H, PANEL<Real>), K = gates * H;
    parallel_ranges(panels, part_count(panels, 8.0 * K * H), [&](long first, long last) {
        for (long panel = first; panel < last; ++panel)
            pack_panel(Wh, 1, K, K, H, panel, packed + panel * K * PANEL<Real>);
    });
}

/// One time step for up to ROW_BLOCK rows, from their previous h: the product with Wh, then `cell_forward`.
template <class Real, class Step>
void step_forward(const Real* const* h_previous, const Step* steps, long rows, const Real* packed, long H) {
    constexpr long GATES = Step::GATES;
    alignas(64) Real sums[ROW_BLOCK][GATES * GROUP<Real>];
    Real* starts[ROW_BLOCK];
    for (long r = 0; r < rows; ++r) starts[r] = sums[r];
    for (long unit = 0; unit < H; unit += GROUP<Real>) {
        for (long gate = 0; gate < GATES; ++gate, packed += H * PANEL<Real>)
            panel_product(h_previous, rows, packed, H, false, starts, gate * GROUP<Real>);
        if (unit + GROUP<Real> <= H) {
            for (long r = 0; r < rows; ++r) cell_forward<true>(sums[r], steps[r], H, unit);
        } else {
            for (long r = 0; r < rows; ++r) cell_forward<false>(sums[r], steps[r], H, unit);
        }
    }
}

/// Rows waiting for a step until there are ROW_BLOCK of them.
template <class Real, class Step>
class StepBlock {
public:
    StepBlock(const Real* packed, long H) : packed_(packed), H_(H) {}

    void add(const Real* h_previous, const Step& step) {
        h_previous_[rows_] = h_previous;
        steps_[rows_++] = step;
        if (rows_ == ROW_BLOCK) finish();
    }

    void finish() {
        step_forward(h_previous_, steps_, rows_, packed_, H_);
        rows_ = 0;
    }

private:
    const Real* packed_;
    long H_, rows_ = 0;
    const Real* h_previous_[ROW_BLOCK];
    Step steps_[ROW_BLOCK];
};

/// Add h_previous^T da to dWh (H x columns), summed over the positions that are not padding.
///
/// pack(at, column, width, to) writes `width` columns, from `column` on, of da at the position at = n * T + t.
template <class Real, template <class> class Backward, class Pack>
void add_weight_gradient(const Backward<Real>& p, long columns, const Pack& pack) {
    struct Position {
        const Real* h_previous;
        long at;
    };
    const long N = p.N, T = p.T, H = p.H;
    const Buffer<Position> positions(N * T);
    long count = 0;
    for (long n = 0, at = 0; n < N; ++n) {
        for (long t = 0; t < T; ++t, ++at) {
            if (p.mask != nullptr && !p.mask[at]) continue;
            positions[count++] = {t > 0 ? p.hs + (at - 1) * H : p.h0[n], at};
        }
    }
    add_product(
        p.dWh, H, columns, count,
        [&](long k, long row, long height, Real* to) { copy_tile(to, positions[k].h_previous + row, height); },
        [&](long k, long column, long width, Real* to) { pack(positions[k].at, column, width, to); });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
