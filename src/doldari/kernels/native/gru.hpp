// The GRU over whole sequences, in the form whose reset gate r scales the recurrent product u = h Un: all three gates'
// products with Wh are then one, taken before any gate is known.

#pragma once

#include "recurrent.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

/// Where one row of the batch finds its inputs and leaves its results at one step.
template <class Real>
struct GruStep {
    static constexpr long GATES = 3;
    const Real *input, *context, *h_previous;  // context may be null
    Real *gates, *h;
};

/// One group of units of the cell: from the products h Wh, sums (3, GROUP), to the gates r, z, n, u and to h.
template <bool WHOLE, class Real>
inline void cell_forward(const Real* sums, const GruStep<Real>& step, long H, long unit) {
    constexpr long L = LANES<Real>, VECTORS = GROUP<Real> / L;
    Vector<Real> rz[2 * VECTORS], n[VECTORS], u[VECTORS];
    for (long v = 0; v < VECTORS; ++v) {
        const long j = unit + v * L, count = WHOLE ? L : H - j;
        Vector<Real> x[3];
        for (long gate = 0; gate < 3; ++gate) {
            x[gate] = load(step.input + gate * H + j, count);
            if (step.context != nullptr) x[gate] += load(step.context + gate * H + j, count);
        }
        rz[v] = x[0] + load(sums + v * L);
        rz[VECTORS + v] = x[1] + load(sums + GROUP<Real> + v * L);
        n[v] = x[2];
        u[v] = load(sums + 2 * GROUP<Real> + v * L);
    }
    for (auto& x : rz) x *= Real(0.5);
    tanh(rz);
    for (auto& x : rz) x = x * Real(0.5) + Real(0.5);  // the sigmoid
    for (long v = 0; v < VECTORS; ++v) n[v] += rz[v] * u[v];
    tanh(n);
    for (long v = 0; v < VECTORS; ++v) {
        const long j = unit + v * L, count = WHOLE ? L : H - j;
        const Vector<Real> r = rz[v], z = rz[VECTORS + v], h = load(step.h_previous + j, count);
        store(step.h + j, n[v] + z * (h - n[v]), count);
        store(step.gates + j, r, count);
        store(step.gates + H + j, z, count);
        store(step.gates + 2 * H + j, n[v], count);
        store(step.gates + 3 * H + j, u[v], count);
    }
}

template <class Real>
void gru_forward(const GruForward<Real>& p) {
    const long N = p.N, T = p.T, H = p.H;
    const Buffer<Real> packed(packed_size<Real>(H, 3));
    pack_gates(p.Wh, H, 3, packed);
    parallel_ranges(N, part_count(N, 6.0 * N * T * H * H), [&](long first, long last) {
        StepBlock<Real, GruStep<Real>> block(packed + 0, H);
        for (long t = 0; t < T; ++t) {
            for (long n = first; n < last; ++n) {
                const long at = n * T + t;
                const Real* h_previous = t > 0 ? p.hs + (at - 1) * H : p.h0[n];
                if (p.mask != nullptr && !p.mask[at]) {
                    std::memcpy(p.hs + at * H, h_previous, H * sizeof(Real));
                    continue;
                }
                block.add(h_previous, {p.table + p.rows[at] * 3 * H,
                                       p.context == nullptr ? nullptr : p.context + n * 3 * H, h_previous,
                                       p.gates + at * 4 * H, p.hs + at * H});
            }
            block.finish();
        }
    });
}

/// The cell backwards for one row and step: of dh stays what goes back past the product; dgates (3, H), the gradient
/// of the input products, and du (H), that of u, go out.
template <bool WHOLE, class Real>
inline void gru_cell_backward(const Real* gates, const Real* h_previous, Real* dh, Real* dgates, Real* du, long H) {
    constexpr long L = LANES<Real>;
    for (long j = 0; j < H; j += L) {
        const long count = WHOLE ? L : H - j;
        const Vector<Real> r = load(gates + j, count), z = load(gates + H + j, count);
        const Vector<Real> n = load(gates + 2 * H + j, count), u = load(gates + 3 * H + j, count);
        const Vector<Real> h = load(h_previous + j, count), dh_here = load(dh + j, count);
        const Vector<Real> da_n = dh_here * (1 - z) * (1 - n * n);
        store(dgates + j, da_n * u * r * (1 - r), count);
        store(dgates + H + j, dh_here * (h - n) * z * (1 - z), count);
        store(dgates + 2 * H + j, da_n, count);
        store(du + j, da_n * r, count);
        store(dh + j, dh_here * z, count);
    }
}

/// Write dgates, and take dh back to the first state, for rows first .. last - 1.  packed is Wh transposed; du (N, H)
/// is scratch.
template <class Real>
void backward_rows(const GruBackward<Real>& p, const Real* packed, Real* du, long first, long last) {
    const long T = p.T, H = p.H;
    const auto cell = H % LANES<Real> == 0 ? gru_cell_backward<true, Real> : gru_cell_backward<false, Real>;
    const Real *das[ROW_BLOCK], *dus[ROW_BLOCK];
    Real* dhs[ROW_BLOCK];
    long rows = 0;
    const auto finish = [&] {
        for (long unit = 0; unit < H; unit += PANEL<Real>) {
            const Real* panel = packed + unit * 3 * H;
            add_panel_product(das, rows, panel, 2 * H, dhs, unit, H - unit);
            add_panel_product(dus, rows, panel + 2 * H * PANEL<Real>, H, dhs, unit, H - unit);
        }
        rows = 0;
    };
    for (long t = T - 1; t >= 0; --t) {
        for (long n = first; n < last; ++n) {
            const long at = n * T + t;
            Real *dh = p.dh + n * H, *dgates = p.dgates + at * 3 * H;
            if (p.dhs != nullptr)
                for (long j = 0; j < H; ++j) dh[j] += p.dhs[at * H + j];
            if (p.mask != nullptr && !p.mask[at]) {
                std::memset(dgates, 0, 3 * H * sizeof(Real));
                continue;
            }
            cell(p.gates + at * 4 * H, t > 0 ? p.hs + (at - 1) * H : p.h0[n], dh, dgates, du + n * H, H);
            das[rows] = dgates;
            dus[rows] = du + n * H;
            dhs[rows++] = dh;
            if (rows == ROW_BLOCK) finish();
        }
        finish();
    }
}

template <class Real>
void gru_backward(const GruBackward<Real>& p) {
    const long N = p.N, T = p.T, H = p.H;
    {
        const Buffer<Real> packed(packed_size<Real>(H, 3)), du(N * H);
        pack_transpose(p.Wh, H, 3, packed);
        parallel_ranges(N, part_count(N, 6.0 * N * T * H * H),
                        [&](long first, long last) { backward_rows(p, packed + 0, du + 0, first, last); });
    }
    // The gradient of h Wh is that of the input products, but for u, where it is r times as large.
    add_weight_gradient(p, 3 * H, [&](long at, long column, long width, Real* to) {
        copy_panel(to, p.dgates + at * 3 * H + column, width);
        const Real* r = p.gates + at * 4 * H;
        for (long j = column < 2 * H ? 2 * H - column : 0; j < width; ++j) to[j] *= r[column + j - 2 * H];
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
