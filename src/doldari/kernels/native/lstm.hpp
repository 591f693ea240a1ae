// The LSTM over whole sequences.

#pragma once

#include "backward.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

struct LstmCell {
    static constexpr long GATES = 4, STATES = 2;
    static constexpr long input_gate(long gate) { return gate; }

    /// One panel of the cell: from the products h Wh, sums (4, PANEL), to the gates f, g, i, o, to c and h.
    ///
    /// `count` units are left; WHOLE says that they fill the panel: without the checks the forward takes a tenth less.
    template <bool WHOLE, class Real>
    [[gnu::noinline]] static void forward(const Real* sums, const Place<Real>& place, long H, long count) {
        constexpr long L = LANES<Real>, VECTORS = PANEL<Real> / L;
        Vector<Real> a[VECTORS][4], c[VECTORS], h[VECTORS];
        for (long v = 0; v < VECTORS; ++v) {
            const long j = v * L, rest = WHOLE ? L : count - j;
            for (int gate = 0; gate < 4; ++gate) {
                a[v][gate] = load(sums + gate * PANEL<Real> + j) + load(place.input + gate * H + j, rest);
                if (place.context != nullptr) a[v][gate] += load(place.context + gate * H + j, rest);
            }
            activate_gates<Real>(a[v]);
            const auto& [f, g, i, o] = a[v];
            c[v] = i * g;
            if (place.c_before != nullptr) c[v] += f * load(place.c_before + j);
            h[v] = c[v];
        }
        tanh(h);
        for (long v = 0; v < VECTORS; ++v) {
            const long j = v * L;
            store(place.c + j, c[v]);
            store(place.h + j, h[v] * a[v][3]);
            if (place.gates == nullptr) continue;
            for (int gate = 0; gate < 4; ++gate) store(place.gates + gate * place.gate_step + j, a[v][gate]);
        }
    }

    /// The same backwards: from dh and dc the gates' gradient, in place of the gates, and what is added to dc before.
    template <class Real>
    static void backward(const PlaceBack<Real>& place) {
        const Vector<Real> least_o = splat(Real(1e-30));
        for (long j = 0; j < PANEL<Real>; j += LANES<Real>) {
            const Vector<Real> f = place.gate(0, j), g = place.gate(1, j), i = place.gate(2, j), o = place.gate(3, j);
            const Vector<Real> h = load(place.h + j), dh = load(place.dh + j);
            // o (1 - tanh(c)^2), where h = o tanh(c).
            const Vector<Real> dc = load(place.dc + j) + dh * (o - h * h / maximum(least_o, o));
            const Vector<Real> before = place.c_before == nullptr ? Vector<Real>{} : load(place.c_before + j);
            place.put(0, j, dc * before * f * (1 - f));
            place.put(1, j, dc * i * (1 - g * g));
            place.put(2, j, dc * g * i * (1 - i));
            place.put(3, j, dh * h * (1 - o));
            store(place.d_before + j, load(place.d_before + j) + dc * f);
        }
    }
};

template <class Real>
void lstm_forward(const LstmForward<Real>& p) {
    forward<LstmCell>(p);
}

template <class Real>
void lstm_backward(const LstmBackward<Real>& p) {
    BackwardPass<LstmCell, LstmBackward, Real>(p).run();
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
