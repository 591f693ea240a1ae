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
    static void forward(const Real* sums, const Place<Real>& place, long H, long count) {
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
    static void backward(Real* gates, long gate_step, const Real* h, const Real*, const Real* c_before, const Real* dh,
                         const Real* dc, Real* dc_before) {
        constexpr long L = LANES<Real>;
        const Vector<Real> least_o = splat(Real(1e-30));
        for (long j = 0; j < PANEL<Real>; j += L) {
            const Vector<Real> f = load(gates + j), g = load(gates + gate_step + j);
            const Vector<Real> i = load(gates + 2 * gate_step + j), o = load(gates + 3 * gate_step + j);
            const Vector<Real> here = load(h + j), dh_here = load(dh + j);
            // o (1 - tanh(c)^2), where h = o tanh(c).
            const Vector<Real> dc_here = load(dc + j) + dh_here * (o - here * here / maximum(least_o, o));
            const Vector<Real> before = c_before == nullptr ? Vector<Real>{} : load(c_before + j);
            store(gates + j, dc_here * before * f * (1 - f));
            store(gates + gate_step + j, dc_here * i * (1 - g * g));
            store(gates + 2 * gate_step + j, dc_here * g * i * (1 - i));
            store(gates + 3 * gate_step + j, dh_here * here * (1 - o));
            store(dc_before + j, load(dc_before + j) + dc_here * f);
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

/// The position of the highest score, as numpy's argmax: the first of equals, and the first NaN before all.
template <class Real>
int32_t argmax(const Real* scores, const Real* bias, long V) {
    long best = 0;
    Real highest = scores[0] + bias[0];
    for (long id = 1; id < V; ++id) {
        const Real score = scores[id] + bias[id];
        if (score > highest || (std::isnan(score) && !std::isnan(highest))) {
            best = id;
            highest = score;
        }
    }
    return static_cast<int32_t>(best);
}

/// Writes the answers of blocks of rows, of which each is taken through all of its steps before the next.
template <class Real>
class GreedyWriter {
public:
    explicit GreedyWriter(const LstmGreedy<Real>& p)
        : p_(p), score_panels_(ceil_divide(p.V, P)), packed_(panels_of<Real>(p.H) * P * 4 * p.H),
          packed_W_(score_panels_ * P * p.H) {
        pack_gates(p.Wh, H, 4, packed_);
        parallel_ranges(score_panels_, part_count(score_panels_, 8.0 * H * V), [&](long first, long last) {
            for (long panel = first; panel < last; ++panel)
                pack_panel(p_.W, V, 1, H, V, panel, packed_W_ + panel * H * P);
        });
    }

    void run() {
        const long blocks = ceil_divide(p_.N, ROW_BLOCK);
        parallel_ranges(blocks, part_count(blocks, 8.0 * p_.N * p_.T * H * H), [&](long first, long last) {
            const Buffer<Real> scratch(ROW_BLOCK * P * (4 * panels_of<Real>(H) + score_panels_));
            for (long block = first; block < last; ++block)
                write_block(block * ROW_BLOCK, least(p_.N, (block + 1) * ROW_BLOCK), scratch + 0);
        });
    }

private:
    static constexpr long P = PANEL<Real>;

    /// Answer rows first .. last - 1.  scratch holds two states, that of a step and that before it, and the scores.
    void write_block(long first, long last, Real* scratch) const {
        const long T = p_.T, state_size = panels_of<Real>(H) * ROW_BLOCK * P;
        const auto state = [&](long t) {  // h and c, a row of panels for each row of the block
            Real* base = scratch + (t & 1) * 2 * state_size;
            return Level<Real>{{nullptr, 0}, {base, ROW_BLOCK}, {base + state_size, ROW_BLOCK}};
        };
        int32_t live[ROW_BLOCK], ids[ROW_BLOCK];  // the rows whose answer has not ended; what each read last
        const Real* hs[ROW_BLOCK];
        Real* scores[ROW_BLOCK];
        long rows = last - first;
        into_panels({p_.h0[first], p_.h0.stride}, H, 0, rows, state(-1).h);
        into_panels({p_.c0[first], p_.c0.stride}, H, 0, rows, state(-1).c);
        for (long r = 0; r < rows; ++r) {
            live[r] = static_cast<int32_t>(r);
            ids[r] = p_.start_id;
            scores[r] = scratch + 4 * state_size + r * score_panels_ * P;
        }
        for (long t = 0; t < T && rows > 0; ++t) {
            const Level<Real> before = state(t - 1), here = state(t);
            step_forward<4>(
                before.h, live, rows, rows, packed_ + 0, H, [](long child) { return child; },
                [&](long child, const Real* sums, long panel) {
                    const long r = live[child], unit = panel * P;
                    const Place<Real> place{
                        p_.table + ids[r] * 4 * H + unit,
                        p_.context == nullptr ? nullptr : p_.context + (first + r) * 4 * H + unit,
                        before.h.at(panel, r), before.c.at(panel, r), nullptr, 0,
                        here.h.at(panel, r), here.c.at(panel, r)};
                    if (unit + P <= H) LstmCell::forward<true>(sums, place, H, H - unit);
                    else LstmCell::forward<false>(sums, place, H, H - unit);
                });
            for (long i = 0; i < rows; ++i) hs[i] = here.h.at(0, live[i]);
            for (long panel = 0; panel < score_panels_; ++panel)
                panel_product(hs, rows, here.h.runs(), packed_W_ + panel * P * H, H, false, scores, panel * P);
            rows = choose(first, t, live, rows, scores, ids);
        }
    }

    /// Write step t of the live rows' answers; keep the rows that go on, and return how many they are.
    long choose(long first, long t, int32_t* live, long rows, Real* const* scores, int32_t* ids) const {
        long still = 0;
        for (long i = 0; i < rows; ++i) {
            const int32_t r = live[i];
            int32_t* answer = p_.answers + (first + r) * p_.T;
            answer[t] = ids[r] = argmax(scores[i], p_.bias + (first + r) * V, V);
            if (answer[t] != p_.pad_id) live[still++] = r;
            else for (long rest = t + 1; rest < p_.T; ++rest) answer[rest] = p_.pad_id;
        }
        return still;
    }

    const LstmGreedy<Real>& p_;
    const long score_panels_, H = p_.H, V = p_.V;
    const Buffer<Real> packed_, packed_W_;
};

template <class Real>
void lstm_greedy(const LstmGreedy<Real>& p) {
    GreedyWriter<Real>(p).run();
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
