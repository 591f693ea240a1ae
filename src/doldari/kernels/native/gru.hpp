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

    static GruStep at(const GruForward<Real>& p, long n, long t) {
        const long H = p.H, at = n * p.T + t;
        return {p.table + p.rows[at] * 3 * H, p.context == nullptr ? nullptr : p.context + n * 3 * H,
                t > 0 ? p.hs + (at - 1) * H : p.h0[n], p.gates + at * 4 * H, p.hs + at * H};
    }

    void pass_state(long H) const { std::memcpy(h, h_previous, H * sizeof(Real)); }

    void prefetch_results(long H, long j) const {
        __builtin_prefetch(h + j, 1);
        for (long gate = 0; gate < 4; ++gate) __builtin_prefetch(gates + gate * H + j, 1);
    }
};

/// One group of units of the cell: from the products h Wh, sums (3, GROUP), to the gates r, z, u, n and to h.
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
        store(step.gates + 2 * H + j, u[v], count);
        store(step.gates + 3 * H + j, n[v], count);
    }
}

template <class Real>
void gru_forward(const GruForward<Real>& p) {
    forward<GruStep<Real>>(p);
}

/// The cell backwards for one row and step: of dh stays what goes back past the products; dgates (4, H) goes out.
template <bool WHOLE, class Real>
inline void gru_cell_backward(const Real* gates, const Real* h_previous, Real* dh, Real* dgates, long H) {
    constexpr long L = LANES<Real>;
    for (long j = 0; j < H; j += L) {
        const long count = WHOLE ? L : H - j;
        const Vector<Real> r = load(gates + j, count), z = load(gates + H + j, count);
        const Vector<Real> u = load(gates + 2 * H + j, count), n = load(gates + 3 * H + j, count);
        const Vector<Real> h = load(h_previous + j, count), dh_here = load(dh + j, count);
        const Vector<Real> dn = dh_here * (1 - z) * (1 - n * n);
        store(dgates + j, dn * u * r * (1 - r), count);
        store(dgates + H + j, dh_here * (h - n) * z * (1 - z), count);
        store(dgates + 2 * H + j, dn * r, count);
        store(dgates + 3 * H + j, dn, count);
        store(dh + j, dh_here * z, count);
    }
}

template <class Real>
void gru_backward(const GruBackward<Real>& p) {
    const long T = p.T, H = p.H;
    const auto cell = H % LANES<Real> == 0 ? gru_cell_backward<true, Real> : gru_cell_backward<false, Real>;
    backward<3>(p, true, 2 * H, [&](long n, long t) {
        const long at = n * T + t;
        cell(p.gates + at * 4 * H, t > 0 ? p.hs + (at - 1) * H : p.h0[n], p.dh + n * H, p.dgates + at * 4 * H, H);
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
