// The LSTM over whole sequences.

#pragma once

#include "recurrent.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

/// Where one row of the batch finds its inputs and leaves its results at one step.
template <class Real>
struct LstmStep {
    static constexpr long GATES = 4;
    const Real *input, *context, *h_previous, *c_previous;  // context may be null
    Real *gates, *h, *c;                                    // gates may be null

    static LstmStep at(const LstmForward<Real>& p, long n, long t) {
        const long H = p.H, at = n * p.T + t;
        return {p.table + p.rows[at] * 4 * H, p.context == nullptr ? nullptr : p.context + n * 4 * H,
                t > 0 ? p.hs + (at - 1) * H : p.h0[n], t > 0 ? p.cs + (at - 1) * H : p.c0[n],
                p.gates + at * 4 * H, p.hs + at * H, p.cs + at * H};
    }

    void pass_state(long H) const {
        std::memcpy(h, h_previous, H * sizeof(Real));
        std::memcpy(c, c_previous, H * sizeof(Real));
    }

    void prefetch_results(long H, long j) const {
        __builtin_prefetch(h + j, 1);
        __builtin_prefetch(c + j, 1);
        for (long gate = 0; gate < 4 && gates != nullptr; ++gate) __builtin_prefetch(gates + gate * H + j, 1);
    }
};

/// One group of units of the cell: from the products h Wh, sums (4, GROUP), to the gates, c and h.
///
/// WHOLE says that no vector reaches past H: without the checks the forward takes a tenth less.
template <bool WHOLE, class Real>
inline void cell_forward(const Real* sums, const LstmStep<Real>& step, long H, long unit) {
    constexpr long L = LANES<Real>, VECTORS = GROUP<Real> / L;
    Vector<Real> a[VECTORS][4], c[VECTORS], h[VECTORS];
    for (long v = 0; v < VECTORS; ++v) {
        const long j = unit + v * L, count = WHOLE ? L : H - j;
        for (int gate = 0; gate < 4; ++gate) {
            a[v][gate] = load(sums + gate * GROUP<Real> + v * L) + load(step.input + gate * H + j, count);
            if (step.context != nullptr) a[v][gate] += load(step.context + gate * H + j, count);
        }
        activate_gates<Real>(a[v]);
        const auto& [f, g, i, o] = a[v];
        h[v] = c[v] = f * load(step.c_previous + j, count) + i * g;
    }
    tanh(h);
    for (long v = 0; v < VECTORS; ++v) {
        const long j = unit + v * L, count = WHOLE ? L : H - j;
        store(step.c + j, c[v], count);
        store(step.h + j, h[v] * a[v][3], count);
        if (step.gates == nullptr) continue;
        for (int gate = 0; gate < 4; ++gate) store(step.gates + gate * H + j, a[v][gate], count);
    }
}

template <class Real>
void lstm_forward(const LstmForward<Real>& p) {
    forward<LstmStep<Real>>(p);
}

constexpr long BACKWARD_VECTORS = 4;

/// The cell backwards for one row and step: dh comes in, dc is taken a step back, dgates (4, H) goes out.
template <bool WHOLE, class Real>
inline void lstm_cell_backward(const Real* gates, const Real* c, const Real* c_previous, const Real* dh, Real* dc,
                               Real* dgates, long H) {
    constexpr long L = LANES<Real>, VECTORS = BACKWARD_VECTORS;
    for (long start = 0; start < H; start += VECTORS * L) {
        Vector<Real> tanh_c[VECTORS];
        for (long v = 0; v < VECTORS; ++v) tanh_c[v] = load(c + start + v * L, WHOLE ? L : H - start - v * L);
        tanh(tanh_c);
        for (long v = 0; v < VECTORS; ++v) {
            const long j = start + v * L, count = WHOLE ? L : H - j;
            const Vector<Real> f = load(gates + j, count), g = load(gates + H + j, count);
            const Vector<Real> i = load(gates + 2 * H + j, count), o = load(gates + 3 * H + j, count);
            const Vector<Real> dh_here = load(dh + j, count);
            const Vector<Real> dc_here = load(dc + j, count) + dh_here * o * (1 - tanh_c[v] * tanh_c[v]);
            store(dgates + j, dc_here * load(c_previous + j, count) * f * (1 - f), count);
            store(dgates + H + j, dc_here * i * (1 - g * g), count);
            store(dgates + 2 * H + j, dc_here * g * i * (1 - i), count);
            store(dgates + 3 * H + j, dh_here * tanh_c[v] * o * (1 - o), count);
            store(dc + j, dc_here * f, count);
        }
    }
}

template <class Real>
void lstm_backward(const LstmBackward<Real>& p) {
    const long T = p.T, H = p.H;
    const bool whole = H % (BACKWARD_VECTORS * LANES<Real>) == 0;
    const auto cell = whole ? lstm_cell_backward<true, Real> : lstm_cell_backward<false, Real>;
    backward<4>(p, false, 4 * H, [&](long n, long t) {
        const long at = n * T + t;
        cell(p.gates + at * 4 * H, p.cs + at * H, t > 0 ? p.cs + (at - 1) * H : p.c0[n], p.dh + n * H, p.dc + n * H,
             p.dgates + at * 4 * H, H);
    });
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

/// Write the answers of rows first .. last - 1, ROW_BLOCK at most.  scratch is (ROW_BLOCK, 4 * H + width of packed_W).
template <class Real>
void greedy_rows(const LstmGreedy<Real>& p, const Real* packed, const Real* packed_W, long first, long last,
                 Real* scratch) {
    const long T = p.T, H = p.H, V = p.V, width = ceil_divide(V, PANEL<Real>) * PANEL<Real>;
    long live[ROW_BLOCK], rows = last - first;  // the rows whose answer has not ended
    int32_t ids[ROW_BLOCK];
    const Real* hs[ROW_BLOCK];
    Real* scores[ROW_BLOCK];
    LstmStep<Real> steps[ROW_BLOCK];
    for (long r = 0; r < rows; ++r) {
        live[r] = r;
        ids[r] = p.start_id;
        scores[r] = scratch + ROW_BLOCK * 4 * H + r * width;
    }
    for (long t = 0; t < T && rows > 0; ++t) {
        for (long i = 0; i < rows; ++i) {
            const long r = live[i], n = first + r;
            Real *mine = scratch + r * 4 * H, *h = mine + t % 2 * H, *c = mine + 2 * H + t % 2 * H;
            steps[i] = {p.table + ids[r] * 4 * H, p.context == nullptr ? nullptr : p.context + n * 4 * H,
                        t > 0 ? mine + (t + 1) % 2 * H : p.h0[n], t > 0 ? mine + 2 * H + (t + 1) % 2 * H : p.c0[n],
                        nullptr, h, c};
        }
        step_forward(steps, rows, packed, H);
        for (long i = 0; i < rows; ++i) hs[i] = steps[i].h;
        for (long start = 0; start < V; start += PANEL<Real>)
            panel_product(hs, rows, packed_W + start * H, H, false, scores, start);
        long still = 0;
        for (long i = 0; i < rows; ++i) {
            const long r = live[i];
            int32_t* answer = p.answers + (first + r) * T;
            answer[t] = ids[r] = argmax(scores[i], p.bias + (first + r) * V, V);
            if (answer[t] == p.pad_id) {
                for (long rest = t + 1; rest < T; ++rest) answer[rest] = p.pad_id;
            } else {
                live[still++] = r;
            }
        }
        rows = still;
    }
}

template <class Real>
void lstm_greedy(const LstmGreedy<Real>& p) {
    const long N = p.N, T = p.T, H = p.H, V = p.V;
    const long score_panels = ceil_divide(V, PANEL<Real>), width = score_panels * PANEL<Real>;
    const Buffer<Real> packed(packed_size<Real>(H, 4)), packed_W(width * H);
    pack_gates(p.Wh, H, 4, packed);
    parallel_ranges(score_panels, part_count(score_panels, 8.0 * H * V), [&](long first, long last) {
        for (long panel = first; panel < last; ++panel)
            pack_panel(p.W, V, 1, H, V, panel, packed_W + panel * H * PANEL<Real>);
    });
    // Rows do not wait for each other, so a block of them is taken through all of its steps before the next.
    const long blocks = ceil_divide(N, ROW_BLOCK);
    const long parts = part_count(blocks, 8.0 * N * T * H * H);
    const Buffer<Real> scratch(parts * ROW_BLOCK * (4 * H + width));
    parallel(parts, [&](long part) {
        Real* mine = scratch + part * ROW_BLOCK * (4 * H + width);
        for (long block = blocks * part / parts; block < blocks * (part + 1) / parts; ++block) {
            const long first = block * ROW_BLOCK;
            greedy_rows(p, packed + 0, packed_W + 0, first, N < first + ROW_BLOCK ? N : first + ROW_BLOCK, mine);
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
