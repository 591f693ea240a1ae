// The GRU over whole sequences, in the form whose reset gate r scales the recurrent product u = h Un: all three gates'
// products with Wh are then one, taken before any gate is known.

#pragma once

#include "backward.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

struct GruCell {
    static constexpr long GATES = 3, STATES = 1;
    /// Of the four vectors kept, r, z, u and n, the first three are products with h; r, z and n have an input.
    static constexpr long input_gate(long gate) { return gate == 2 ? 3 : gate; }

    /// One panel of the cell: from the products h Wh, sums (3, PANEL), to r, z, u, n and to h.
    template <bool WHOLE, class Real>
    [[gnu::noinline]] static void forward(const Real* sums, const Place<Real>& place, long H, long count) {
        constexpr long L = LANES<Real>, VECTORS = PANEL<Real> / L;
        Vector<Real> rz[2 * VECTORS], n[VECTORS], u[VECTORS];
        for (long v = 0; v < VECTORS; ++v) {
            const long j = v * L, rest = WHOLE ? L : count - j;
            Vector<Real> x[3];
            for (long gate = 0; gate < 3; ++gate) {
                x[gate] = load(place.input + gate * H + j, rest);
                if (place.context != nullptr) x[gate] += load(place.context + gate * H + j, rest);
            }
            rz[v] = x[0] + load(sums + j);
            rz[VECTORS + v] = x[1] + load(sums + PANEL<Real> + j);
            n[v] = x[2];
            u[v] = load(sums + 2 * PANEL<Real> + j);
        }
        for (auto& x : rz) x *= Real(0.5);
        tanh(rz);
        for (auto& x : rz) x = x * Real(0.5) + Real(0.5);  // the sigmoid
        for (long v = 0; v < VECTORS; ++v) n[v] += rz[v] * u[v];
        tanh(n);
        for (long v = 0; v < VECTORS; ++v) {
            const long j = v * L;
            const Vector<Real> r = rz[v], z = rz[VECTORS + v];
            const Vector<Real> before = place.h_before == nullptr ? Vector<Real>{} : load(place.h_before + j);
            store(place.h + j, n[v] + z * (before - n[v]));
            store(place.gates + j, r);
            store(place.gates + place.gate_step + j, z);
            store(place.gates + 2 * place.gate_step + j, u[v]);
            store(place.gates + 3 * place.gate_step + j, n[v]);
        }
    }

    /// The same backwards: from dh the gradient of r, z, u and n, in their place, and what goes past the products.
    template <class Real>
    static void backward(const PlaceBack<Real>& place) {
        for (long j = 0; j < PANEL<Real>; j += LANES<Real>) {
            const Vector<Real> r = place.gate(0, j), z = place.gate(1, j), u = place.gate(2, j), n = place.gate(3, j);
            const Vector<Real> before = place.h_before == nullptr ? Vector<Real>{} : load(place.h_before + j);
            const Vector<Real> dh = load(place.dh + j), dn = dh * (1 - z) * (1 - n * n);
            place.put(0, j, dn * u * r * (1 - r));
            place.put(1, j, dh * (before - n) * z * (1 - z));
            place.put(2, j, dn * r);
            store(place.gates + 3 * place.gate_step + j, dn);
            store(place.d_before + j, load(place.d_before + j) + dh * z);
        }
    }
};

template <class Real>
void gru_forward(const GruForward<Real>& p) {
    forward<GruCell>(p);
}

template <class Real>
void gru_backward(const GruBackward<Real>& p) {
    BackwardPass<GruCell, GruBackward, Real>(p).run();
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
