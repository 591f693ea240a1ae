// Vectors of H numbers for several rows, in panels: PANEL numbers of every row, then the next PANEL; and weights packed
// to be multiplied with them.  The last panel is filled up with zeros.

#pragma once

#include <cstring>

#include "kernels.hpp"
#include "tile.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

template <class Real>
struct Panels {
    Real* data;
    long rows;

    Real* at(long panel, long row) const { return data + (panel * rows + row) * PANEL<Real>; }
    Runs runs() const { return {PANEL<Real>, rows * PANEL<Real>}; }
};

/// How many panels H units take.
template <class Real>
constexpr long panels_of(long H) {
    return ceil_divide(H, PANEL<Real>);
}

/// Call work(panel, from, width) for every panel of a vector of H numbers: where it begins, how much of it is there.
template <class Real, class Work>
inline void for_panels(long H, const Work& work) {
    for (long panel = 0, from = 0; from < H; ++panel, from += PANEL<Real>)
        work(panel, from, least(H - from, PANEL<Real>));
}

/// Bring rows first .. last - 1 of a state (zeros if there is none) into panels, with zeros past H.
template <class Real>
void into_panels(const Rows<Real>& from, long H, long first, long last, const Panels<Real>& to) {
    for (long n = first; n < last; ++n)
        for_panels<Real>(H, [&](long panel, long start, long width) {
            if (from.data == nullptr) std::memset(to.at(panel, n), 0, PANEL<Real> * sizeof(Real));
            else copy_panel(to.at(panel, n), from[n] + start, width);
        });
}

template <class Real>
inline void out_of_panels(const Panels<Real>& from, long row, long H, Real* to) {
    for_panels<Real>(H, [&](long panel, long start, long width) {
        if (width == PANEL<Real>) std::memcpy(to + start, from.at(panel, row), PANEL<Real> * sizeof(Real));
        else std::memcpy(to + start, from.at(panel, row), width * sizeof(Real));
    });
}

template <class Real>
inline void add_to_panels(const Panels<Real>& to, long row, const Real* from, long H) {
    for_panels<Real>(H, [&](long panel, long start, long width) {
        if (width == PANEL<Real>) add_to(to.at(panel, row), from + start, PANEL<Real>);
        else add_to(to.at(panel, row), from + start, width);
    });
}

// Operations of a product that take as long as to pack one number.
constexpr double PACKING = 48.0;

/// Pack `gates` matrices (K x columns) that stand side by side in panels: for each panel of columns those of the gates.
template <class Real>
void pack_weights(const Real* W, long K, long columns, long gates, const Buffer<Real>& packed) {
    const long panels = gates * panels_of<Real>(columns);
    parallel_ranges(panels, part_count(panels, PACKING * gates * K * columns), [&](long first, long last) {
        for (long panel = first; panel < last; ++panel)
            pack_panel(W + panel % gates * columns, gates * columns, 1, K, columns, panel / gates,
                       packed + panel * K * PANEL<Real>);
    });
}

/// `gates` matrices (K x columns) side by side, packed unless for a single row, whose products are no slower as they
/// lie.
template <class Real>
struct Weights {
    const Real* W;  // or null: nothing to be multiplied with
    const long K, columns, gates;
    const bool single;
    const Buffer<Real> packed;

    Weights(const Real* W, long K, long columns, long gates, long rows)
        : W(W), K(K), columns(columns), gates(gates), single(rows == 1),
          packed(single || W == nullptr ? 0 : panels_of<Real>(columns) * PANEL<Real> * gates * K) {
        if (!single && W != nullptr) pack_weights(W, K, columns, gates, packed);
    }

    /// out += the single row's product with all gates.
    void add_single(const Real* row, Runs runs, Real* out) const {
        const long width = gates * columns;
        for (long k = 0; k < K; k += runs.run)
            add_row_product(out, row + runs.offset(k), 1, W + k * width, width, least(K - k, runs.run), width);
    }

    /// out[r] += rows[r] times the matrix, where there is one gate.
    void add(const Real* const* rows, long count, Runs runs, Real* const* out) const {
        if (single) return add_single(rows[0], runs, out[0]);
        for (long panel = 0; panel < panels_of<Real>(columns); ++panel)
            panel_product(rows, count, runs, packed + panel * PANEL<Real> * K, K, true, out, panel * PANEL<Real>,
                          columns - panel * PANEL<Real>);
    }
};

/// Pack the transpose of Wh in panels, with zero rows where the panels of a gate go past H.
template <class Real>
void pack_transpose(const Real* Wh, long H, long gates, const Buffer<Real>& packed) {
    const long panels = panels_of<Real>(H), width = panels * PANEL<Real>;
    parallel_ranges(panels, part_count(panels, PACKING * gates * H * H), [&](long first, long last) {
        for (long panel = first; panel < last; ++panel) {
            for (long gate = 0; gate < gates; ++gate) {
                Real* to = packed + (panel * gates + gate) * width * PANEL<Real>;
                pack_panel(Wh + gate * H, 1, gates * H, H, H, panel, to);
                std::memset(to + H * PANEL<Real>, 0, (width - H) * PANEL<Real> * sizeof(Real));
            }
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
