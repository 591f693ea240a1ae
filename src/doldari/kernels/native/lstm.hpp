// The LSTM over whole sequences.  Each thread takes its own rows of the batch through all time steps, so nobody waits
// for anybody at a step; rows at padding are left out of the products and cost nothing.

#pragma once

#include "kernels.hpp"
#include "product.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

// The units of a layer are taken in groups as wide as a panel, each with a panel for every gate.
template <class Real>
constexpr long GROUP = PANEL<Real>;

/// Where one row of the batch finds its inputs and leaves its results at one step.
template <class Real>
struct Step {
    const Real *input, *context, *c_previous;  // context may be null
    Real *gates, *h, *c;                       // gates may be null
};

/// One group of units of the cell: from the products h Wh, sums (4, GROUP), to the gates, c and h.
///
/// WHOLE says that no vector reaches past H: without the checks the forward takes a tenth less.
template <bool WHOLE, class Real>
inline void cell_forward(const Real* sums, const Step<Real>& step, long H, long unit) {
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

/// Pack Wh (H x 4H) in panels: for each group of units the four gates'.
template <class Real>
void pack_gates(const Real* Wh, long H, const Buffer<Real>& packed) {
    const long groups = ceil_divide(H, GROUP<Real>);
    parallel_ranges(4 * groups, part_count(4 * groups, 32.0 * H * H), [&](long first, long last) {
        for (long panel = first; panel < last; ++panel) {
            const long gate = panel % 4, group = panel / 4;
            pack_panel(Wh + gate * H, 4 * H, 1, H, H, group, packed + panel * H * PANEL<Real>);
        }
    });
}

/// Ask for the memory that a group of units will be written to, which comes while their products are taken.
template <class Real>
void prefetch_results(const Step<Real>& step, long H, long unit) {
    constexpr long LINE = 64 / sizeof(Real);
    for (long j = unit; j < least(H, unit + GROUP<Real>); j += LINE) {
        __builtin_prefetch(step.h + j, 1);
        __builtin_prefetch(step.c + j, 1);
        for (long gate = 0; gate < 4 && step.gates != nullptr; ++gate) __builtin_prefetch(step.gates + gate * H + j, 1);
    }
}

/// One time step of `rows` rows, from their previous h.
///
/// All of them go by a group of units before the next, since the weights of a large layer come from far.
template <class Real>
void step_forward(const Real* const* h_previous, const Step<Real>* steps, long rows, const Real* packed, long H) {
    alignas(64) Real sums[ROW_BLOCK][4 * GROUP<Real>];
    Real* starts[ROW_BLOCK];
    for (long r = 0; r < ROW_BLOCK; ++r) starts[r] = sums[r];
    for (long unit = 0; unit < H; unit += GROUP<Real>, packed += 4 * H * PANEL<Real>) {
        const auto cell = unit + GROUP<Real> <= H ? cell_forward<true, Real> : cell_forward<false, Real>;
        for (long start = 0; start < rows; start += ROW_BLOCK) {
            const long count = least(rows - start, ROW_BLOCK);
            for (long r = 0; r < count; ++r) prefetch_results(steps[start + r], H, unit);
            for (long gate = 0; gate < 4; ++gate)
                panel_product(h_previous + start, count, packed + gate * H * PANEL<Real>, H, false, starts,
                              gate * GROUP<Real>);
            for (long r = 0; r < count; ++r) cell(sums[r], steps[start + r], H, unit);
        }
    }
}

template <class Real>
void lstm_forward(const LstmForward<Real>& p) {
    const long N = p.N, T = p.T, H = p.H;
    const Buffer<Real> packed(ceil_divide(H, GROUP<Real>) * GROUP<Real> * 4 * H);
    pack_gates(p.Wh, H, packed);
    parallel_ranges(N, part_count(N, 8.0 * N * T * H * H), [&](long first, long last) {
        const Buffer<const Real*> h_previous(last - first);
        const Buffer<Step<Real>> steps(last - first);
        for (long t = 0; t < T; ++t) {
            long rows = 0;
            for (long n = first; n < last; ++n) {
                const long at = n * T + t;
                const Real* h = t > 0 ? p.hs + (at - 1) * H : p.h0[n];
                const Real* c = t > 0 ? p.cs + (at - 1) * H : p.c0[n];
                if (p.mask != nullptr && !p.mask[at]) {
                    std::memcpy(p.hs + at * H, h, H * sizeof(Real));
                    std::memcpy(p.cs + at * H, c, H * sizeof(Real));
                    continue;
                }
                h_previous[rows] = h;
                steps[rows++] = {p.table + p.rows[at] * 4 * H, p.context == nullptr ? nullptr : p.context + n * 4 * H,
                                 c, p.gates + at * 4 * H, p.hs + at * H, p.cs + at * H};
            }
            step_forward(h_previous + 0, steps + 0, rows, packed + 0, H);
        }
    });
}

constexpr long BACKWARD_VECTORS = 4;

/// The cell backwards for one row and step: dh comes in, dc is taken a step back, dgates (4, H) goes out.
template <bool WHOLE, class Real>
inline void cell_backward(const Real* gates, const Real* c, const Real* c_previous, const Real* dh, Real* dc,
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

/// Write dgates, and take dh and dc back to the first state, for rows first .. last - 1.  packed is Wh transposed.
template <class Real>
void backward_rows(const LstmBackward<Real>& p, const Real* packed, long first, long last) {
    const long T = p.T, H = p.H;
    const bool whole = H % (BACKWARD_VECTORS * LANES<Real>) == 0;
    const auto cell = whole ? cell_backward<true, Real> : cell_backward<false, Real>;
    const Buffer<const Real*> das(last - first);
    const Buffer<Real*> dhs(last - first);
    for (long t = T - 1; t >= 0; --t) {
        long rows = 0;
        for (long n = first; n < last; ++n) {
            const long at = n * T + t;
            Real *dh = p.dh + n * H, *dgates = p.dgates + at * 4 * H;
            if (p.dhs != nullptr)
                for (long j = 0; j < H; ++j) dh[j] += p.dhs[at * H + j];
            if (p.mask != nullptr && !p.mask[at]) {
                std::memset(dgates, 0, 4 * H * sizeof(Real));
                continue;
            }
            const Real* c_previous = t > 0 ? p.cs + (at - 1) * H : p.c0[n];
            cell(p.gates + at * 4 * H, p.cs + at * H, c_previous, dh, p.dc + n * H, dgates, H);
            das[rows] = dgates;
            dhs[rows++] = dh;
        }
        // A block of the gates at a time, so that all rows' stay in the second-level cache while the weights go by.
        for (long k = 0; k < 4 * H; k += K_BLOCK) {
            const long depth = least(4 * H - k, K_BLOCK);
            for (long unit = 0; unit < H; unit += PANEL<Real>)
                panel_product(das + 0, rows, packed + unit * 4 * H + k * PANEL<Real>, depth, k > 0, dhs + 0, unit, H - unit);
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

template <class Real>
void lstm_backward(const LstmBackward<Real>& p) {
    const long N = p.N, T = p.T, H = p.H;
    const long unit_panels = ceil_divide(H, PANEL<Real>);
    {
        const Buffer<Real> packed(unit_panels * PANEL<Real> * 4 * H);
        parallel_ranges(unit_panels, part_count(unit_panels, 32.0 * H * H), [&](long first, long last) {
            for (long panel = first; panel < last; ++panel)
                pack_panel(p.Wh, 1, 4 * H, 4 * H, H, panel, packed + panel * 4 * H * PANEL<Real>);
        });
        parallel_ranges(N, part_count(N, 8.0 * N * T * H * H),
                        [&](long first, long last) { backward_rows(p, packed + 0, first, last); });
    }
    const Buffer<Position<Real>> positions(N * T);
    long count = 0;
    for (long n = 0, at = 0; n < N; ++n) {
        for (long t = 0; t < T; ++t, ++at) {
            if (p.mask != nullptr && !p.mask[at]) continue;
            positions[count++] = {t > 0 ? p.hs + (at - 1) * H : p.h0[n], p.dgates + at * 4 * H,
                                  p.dtable + p.rows[at] * 4 * H,
                                  p.dcontext == nullptr ? nullptr : p.dcontext + n * 4 * H};
        }
    }
    // By columns, so that every number of dgates is packed once, and added to dtable and dcontext in order.
    blocked_product<TILE>(
        p.dWh, H, 4 * H, count, {true, nullptr}, true,
        [&](long k, long depth, long row, long height, Real* to, const Real** starts) {
            for (long i = 0; i < depth; ++i)
                copy_tile(to + i * TILE, positions[k + i].h_previous + row, height);
            for (long r = 0; r < height; ++r) starts[r] = to + r;
        },
        [&](long k, long depth, long panel, long panels, Real* to) {
            const long column = panel * PANEL<Real>, width = least(panels * PANEL<Real>, 4 * H - column);
            for (long i = 0; i < depth; ++i) {
                const Position<Real>& position = positions[k + i];
                const Real* from = position.dgates + column;
                for (long j = 0; j < width; j += PANEL<Real>)
                    copy_panel(to + (j * depth + i * PANEL<Real>), from + j, width - j);
                add_to(position.dtable + column, from, width);
                if (position.dcontext != nullptr) add_to(position.dcontext + column, from, width);
            }
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
    Step<Real> steps[ROW_BLOCK];
    for (long r = 0; r < rows; ++r) {
        live[r] = r;
        ids[r] = p.start_id;
        scores[r] = scratch + ROW_BLOCK * 4 * H + r * width;
    }
    for (long t = 0; t < T && rows > 0; ++t) {
        for (long i = 0; i < rows; ++i) {
            const long r = live[i], n = first + r;
            Real *mine = scratch + r * 4 * H, *h = mine + t % 2 * H, *c = mine + 2 * H + t % 2 * H;
            hs[i] = t > 0 ? mine + (t + 1) % 2 * H : p.h0[n];
            steps[i] = {p.table + ids[r] * 4 * H, p.context == nullptr ? nullptr : p.context + n * 4 * H,
                        t > 0 ? mine + 2 * H + (t + 1) % 2 * H : p.c0[n], nullptr, h, c};
        }
        step_forward(hs, steps, rows, packed, H);
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
    const Buffer<Real> packed(ceil_divide(H, GROUP<Real>) * GROUP<Real> * 4 * H), packed_W(width * H);
    pack_gates(p.Wh, H, packed);
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
