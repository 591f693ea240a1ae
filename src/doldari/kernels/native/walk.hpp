// A transducer's decoder, all steps in one call, as reference/walk.py explains it.
//
// Rows do not meet, so each thread takes its own through all steps, a block at a time: no thread waits for another at a
// step.  The weights are packed once.  Their gradients are products over all steps, which are taken outside.

#pragma once

#include "lattice.hpp"
#include "panels.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

/// A matrix transposed, packed: b[k][j] = W[j][k], for W (columns x K).
template <class Real>
struct Transposed {
    const long K, columns;
    const Buffer<Real> packed;

    Transposed(const Real* W, long K, long columns)
        : K(K), columns(columns), packed(panels_of<Real>(columns) * PANEL<Real> * K) {
        const long panels = panels_of<Real>(columns);
        parallel_ranges(panels, part_count(panels, PACKING * K * columns), [&](long first, long last) {
            for (long panel = first; panel < last; ++panel)
                pack_panel(W, 1, K, K, columns, panel, packed + panel * K * PANEL<Real>);
        });
    }

    /// out[r] = rows[r] times the transpose.
    void product(const Real* const* rows, long count, Real* const* out) const {
        for (long panel = 0; panel < panels_of<Real>(columns); ++panel)
            panel_product(rows, count, DENSE, packed + panel * PANEL<Real> * K, K, false, out, panel * PANEL<Real>,
                          columns - panel * PANEL<Real>);
    }
};

/// Rows that a product reads, and those that it writes: up to ROW_BLOCK.
template <class Real>
struct RowList {
    const Real* from[ROW_BLOCK];
    Real* to[ROW_BLOCK];
    long count = 0;

    void add(const Real* a, Real* out) {
        from[count] = a;
        to[count++] = out;
    }
};

/// Call product(from, count, to) for all cells of some rows, ROW_BLOCK cells at a time; those of row n begin at starts[n].
template <class Real, class Product>
void cell_products(const long* rows, long count, const long* starts, const Real* from, long width, Real* to,
                   long to_width, const Product& product) {
    RowList<Real> list;
    const auto flush = [&] {
        if (list.count > 0) product(list.from, list.count, list.to);
        list.count = 0;
    };
    for (long i = 0; i < count; ++i)
        for (long cell = starts[rows[i]]; cell < starts[rows[i] + 1]; ++cell) {
            list.add(from + cell * width, to + cell * to_width);
            if (list.count == ROW_BLOCK) flush();
        }
    flush();
}

/// The sum of `count` vectors, each times its weight.
template <class Real>
void weighted_sum(const Real* weights, const Real* vectors, long count, long size, Real* out) {
    std::memset(out, 0, size * sizeof(Real));
    for (long s = 0; s < count; ++s)
        if (weights[s] != 0) add_to(out, vectors + s * size, size, weights[s]);
}

template <class Real>
Real dot(const Real* x, const Real* y, long size) {
    Vector<Real> total{};
    for (long j = 0; j < size; j += LANES<Real>) total += load(x + j, size - j) * load(y + j, size - j);
    return sum<Real>(total);
}

/// An LSTM's cell: sums (4, H), which become the gates f, g, i, o; c -> c_next and h.
template <class Real>
[[gnu::noinline]] void walk_cell(Real* gates, const Real* c, long H, Real* c_next, Real* h) {
    constexpr long L = LANES<Real>;
    for (long j = 0; j < H; j += L) {
        const long left = H - j;
        Vector<Real> a[4], shown[1];
        for (int gate = 0; gate < 4; ++gate) a[gate] = load(gates + gate * H + j, left);
        activate_gates<Real>(a);
        shown[0] = a[0] * load(c + j, left) + a[1] * a[2];
        store(c_next + j, shown[0], left);
        tanh(shown);
        store(h + j, shown[0] * a[3], left);
        for (int gate = 0; gate < 4; ++gate) store(gates + gate * H + j, a[gate], left);
    }
}

/// The same backwards: dh and dc of the next state -> dgates (4, H) of the sums, and dc of the one before.
template <class Real>
[[gnu::noinline]] void walk_cell_back(const Real* gates, const Real* c, const Real* h, const Real* dh, long H,
                                      Real* dgates, Real* dc) {
    constexpr long L = LANES<Real>;
    const Vector<Real> least_o = splat(Real(1e-30));
    for (long j = 0; j < H; j += L) {
        const long left = H - j;
        const auto gate = [&](long number) { return load(gates + number * H + j, left); };
        const auto put = [&](long number, Vector<Real> x) { store(dgates + number * H + j, x, left); };
        const Vector<Real> f = gate(0), g = gate(1), i = gate(2), o = gate(3);
        const Vector<Real> shown = load(h + j, left), d = load(dh + j, left);
        // o (1 - tanh(c)^2), where h = o tanh(c).
        const Vector<Real> into_c = load(dc + j, left) + d * (o - shown * shown / maximum(least_o, o));
        put(0, into_c * load(c + j, left) * f * (1 - f));
        put(1, into_c * i * (1 - g * g));
        put(2, into_c * g * i * (1 - i));
        put(3, d * shown * (1 - o));
        store(dc + j, into_c * f, left);
    }
}

/// Where the cells of every row begin in a step; the last is where the next step begins.
template <class Arguments>
void find_cells(const Arguments& p, const int32_t* rows, const Buffer<long>& starts) {
    starts[0] = 0;
    for (long n = 0; n < p.N; ++n) starts[n + 1] = starts[n] + p.lengths[rows == nullptr ? n : rows[n]];
}

/// List the rows from first on, up to last, that are no padding at step t; call pass(row) for the others.
template <class Arguments, class Pass>
long find_real(const Arguments& p, long first, long last, long t, long* real, const Pass& pass) {
    long count = 0;
    for (long n = first; n < last; ++n) {
        if (p.mask == nullptr || p.mask[n * p.T + t]) real[count++] = n;
        else pass(n);
    }
    return count;
}

template <class Real>
void walk_forward(const WalkForward<Real>& p) {
    const long N = p.N, T = p.T, H = p.H, M = p.M, J = p.J, S = p.S, V = p.V, A = p.A;
    const Buffer<long> starts(N + 1);
    find_cells(p, p.rows, starts);
    const Weights<Real> fed(p.Wf, M, 4 * H, 1, N), recurrent(p.Wh, H, 4 * H, 1, N), query(p.Wq, H, J, 1, N);
    const Weights<Real> scores(p.W, J, A, 1, p.cells);
    const double flops = 2.0 * T * (N * (4.0 * H * (M + H) + double(H) * J) + p.cells * (double(J) * A + 10.0 * J));
    parallel_ranges(N, part_count(N, flops), [&](long part_first, long part_last) {
        const Buffer<Real> dropped(ROW_BLOCK * H), asked(ROW_BLOCK * J);
        for (long first = part_first; first < part_last; first += ROW_BLOCK) {
            const long last = least(part_last, first + ROW_BLOCK);
            bool begun[ROW_BLOCK];
            for (long n = first; n < last; ++n) begun[n - first] = p.begun;
            for (long t = 0; t < T; ++t) {
                Real *zs = p.zs + t * p.cells * J, *actions = p.actions + t * p.cells * A;
                long real[ROW_BLOCK];
                const long count = find_real(p, first, last, t, real, [&](long n) {
                    const long at = t * N + n, cells = starts[n + 1] - starts[n];
                    std::memcpy(p.hs + (at + N) * H, p.hs + at * H, H * sizeof(Real));
                    std::memcpy(p.cs + (at + N) * H, p.cs + at * H, H * sizeof(Real));
                    std::memset(p.places + at * S, 0, S * sizeof(Real));
                    std::memset(p.averages + at * M, 0, M * sizeof(Real));
                    std::memset(p.gates + at * 4 * H, 0, 4 * H * sizeof(Real));
                    std::memset(p.reached + at * S, 0, S * sizeof(Real));
                    std::memset(p.arrived + at * S, 0, S * sizeof(Real));
                    std::memset(zs + starts[n] * J, 0, cells * J * sizeof(Real));
                    std::memset(actions + starts[n] * A, 0, cells * A * sizeof(Real));
                    std::memset(p.logs + (n * T + t) * V, 0, V * sizeof(Real));
                });
                RowList<Real> averages, states, queries;
                for (long i = 0; i < count; ++i) {
                    const long n = real[i], at = t * N + n;
                    Real* places = p.places + at * S;
                    const Real* arrivals = p.arrivals + n * S * V + p.xs[n * T + t];
                    Real total = 0;
                    for (long s = 0; s < S; ++s) total += places[s] = begun[n - first] ? arrivals[s * V] : s == 0;
                    const Real factor = 1 / (total > Real(1.1754944e-38) ? total : Real(1.1754944e-38));
                    for (long s = 0; s < S; ++s) places[s] *= factor;
                    begun[n - first] = true;
                    weighted_sum(places, p.values + p.rows[n] * S * M, S, M, p.averages + at * M);
                    std::memcpy(p.gates + at * 4 * H, p.products + at * 4 * H, 4 * H * sizeof(Real));
                    averages.add(p.averages + at * M, p.gates + at * 4 * H);
                    states.add(p.hs + at * H, p.gates + at * 4 * H);
                }
                if (count == 0) continue;
                fed.add(averages.from, count, DENSE, averages.to);
                recurrent.add(states.from, count, DENSE, states.to);
                for (long i = 0; i < count; ++i) {
                    const long n = real[i], at = t * N + n;
                    Real* h = p.hs + (at + N) * H;
                    walk_cell(p.gates + at * 4 * H, p.cs + at * H, H, p.cs + (at + N) * H, h);
                    const Real* read = h;
                    if (p.h_scales != nullptr) {
                        Real* scaled = dropped + i * H;
                        for (long j = 0; j < H; ++j) scaled[j] = h[j] * p.h_scales[at * H + j];
                        read = scaled;
                    }
                    std::memcpy(asked + i * J, p.queries + n * J, J * sizeof(Real));
                    queries.add(read, asked + i * J);
                }
                query.add(queries.from, count, DENSE, queries.to);
                for (long i = 0; i < count; ++i) {
                    const long n = real[i], q = p.rows[n];
                    meet_step(asked + i * J, p.keys + q * S * J,
                              p.z_scales == nullptr ? nullptr : p.z_scales + (t * N + n) * J, p.lengths[q], J,
                              zs + starts[n] * J);
                    for (long cell = starts[n]; cell < starts[n + 1]; ++cell)
                        std::memcpy(actions + cell * A, p.b, A * sizeof(Real));
                }
                cell_products(real, count, starts + 0, zs, J, actions, A,
                              [&](const Real* const* from, long rows, Real* const* to) {
                                  scores.add(from, rows, DENSE, to);
                              });
                for (long i = 0; i < count; ++i) {
                    const long n = real[i], q = p.rows[n], at = t * N + n, length = p.lengths[q];
                    Real *begin = actions + starts[n] * A, *arrivals = p.arrivals + n * S * V;
                    transduce_step<Real>({length, V, p.copies + q * S, p.places + at * S, begin, begin + V, A, A},
                                         p.end_id, p.reached + at * S, arrivals, p.logs + (n * T + t) * V);
                    std::memset(p.reached + at * S + length, 0, (S - length) * sizeof(Real));
                    std::memset(arrivals + length * V, 0, (S - length) * V * sizeof(Real));
                    const long next = p.xs[n * T + least(t + 1, T - 1)];
                    for (long s = 0; s < S; ++s) p.arrived[at * S + s] = arrivals[s * V + next];
                }
            }
        }
    });
}

template <class Real>
void walk_backward(const WalkBackward<Real>& p) {
    const long N = p.N, T = p.T, H = p.H, M = p.M, J = p.J, S = p.S, V = p.V, A = p.A;
    const Buffer<long> starts(N + 1);
    find_cells(p, nullptr, starts);
    const Transposed<Real> fed(p.Wf, 4 * H, M), recurrent(p.Wh, 4 * H, H), query(p.Wq, J, H), scores(p.W, A, J);
    const double flops = 2.0 * T * (N * (4.0 * H * (M + H) + double(H) * J) + p.cells * (double(J) * A + 10.0 * J));
    parallel_ranges(N, part_count(N, flops), [&](long part_first, long part_last) {
        const Buffer<Real> dhs(ROW_BLOCK * H), dcs(ROW_BLOCK * H), from_query(ROW_BLOCK * H), dfed(ROW_BLOCK * M);
        const Buffer<Real> gplaces(ROW_BLOCK * S), garrived(S), symbols(V), reaching(S), dzs(p.cells * J);
        for (long first = part_first; first < part_last; first += ROW_BLOCK) {
            const long last = least(part_last, first + ROW_BLOCK);
            std::memset(dhs + 0, 0, ROW_BLOCK * H * sizeof(Real));
            std::memset(dcs + 0, 0, ROW_BLOCK * H * sizeof(Real));
            std::memset(gplaces + 0, 0, ROW_BLOCK * S * sizeof(Real));
            for (long t = T - 1; t >= 0; --t) {
                const Real *zs = p.zs + t * p.cells * J, *actions = p.actions + t * p.cells * A;
                Real* dactions = p.dactions + t * p.cells * A;
                long real[ROW_BLOCK];
                const long count = find_real(p, first, last, t, real, [&](long n) {
                    const long at = t * N + n, cells = starts[n + 1] - starts[n];
                    std::memset(p.dproducts + at * 4 * H, 0, 4 * H * sizeof(Real));
                    std::memset(p.dqueries + at * J, 0, J * sizeof(Real));
                    std::memset(dactions + starts[n] * A, 0, cells * A * sizeof(Real));
                });
                if (count == 0) continue;
                for (long i = 0; i < count; ++i) {
                    const long n = real[i], at = t * N + n, length = p.lengths[n];
                    Real *g = gplaces + (n - first) * S, total = 0;
                    for (long s = 0; s < S; ++s) total += g[s];
                    for (long s = 0; s < S; ++s)
                        garrived[s] = t + 1 < T ? g[s] - p.places[(at + N) * S + s] * total : 0;
                    Real *begin = const_cast<Real*>(actions) + starts[n] * A, *dbegin = dactions + starts[n] * A;
                    transduce_step_back<Real>(
                        {length, V, p.copies + n * S, p.places + at * S, begin, begin + V, A, A},
                        {p.reached + at * S, p.arrived + at * S, 1, p.xs[n * T + least(t + 1, T - 1)], garrived + 0,
                         p.logs + (n * T + t) * V, p.dlogs + (n * T + t) * V, dbegin, dbegin + V, g},
                        symbols + 0, reaching + 0);
                    std::memset(g + length, 0, (S - length) * sizeof(Real));
                }
                cell_products(real, count, starts + 0, dactions, A, dzs + 0, J,
                              [&](const Real* const* from, long rows, Real* const* to) {
                                  scores.product(from, rows, to);
                              });
                RowList<Real> queries, gates, states;
                for (long i = 0; i < count; ++i) {
                    const long n = real[i], at = t * N + n;
                    meet_step_back(dzs + starts[n] * J, zs + starts[n] * J,
                                   p.z_scales == nullptr ? nullptr : p.z_scales + at * J, p.lengths[n], J,
                                   p.dqueries + at * J, p.dkeys + n * S * J);
                    queries.add(p.dqueries + at * J, from_query + i * H);
                }
                query.product(queries.from, count, queries.to);
                for (long i = 0; i < count; ++i) {
                    const long n = real[i], at = t * N + n;
                    Real *dh = dhs + (n - first) * H, *dc = dcs + (n - first) * H, *more = from_query + i * H;
                    for (long j = 0; j < H; ++j)
                        dh[j] += p.h_scales == nullptr ? more[j] : more[j] * p.h_scales[at * H + j];
                    Real* dgates = p.dproducts + at * 4 * H;
                    walk_cell_back(p.gates + at * 4 * H, p.cs + at * H, p.hs + (at + N) * H, dh, H, dgates, dc);
                    gates.add(dgates, dfed + i * M);
                    states.add(dgates, dh);
                }
                fed.product(gates.from, count, gates.to);
                recurrent.product(states.from, count, states.to);
                for (long i = 0; i < count; ++i) {
                    const long n = real[i];
                    const Real *places = p.places + (t * N + n) * S, *values = p.values + n * S * M, *d = dfed + i * M;
                    Real *g = gplaces + (n - first) * S, *dvalues = p.dvalues + n * S * M;
                    for (long s = 0; s < p.lengths[n]; ++s) {
                        if (places[s] == 0) continue;
                        add_to(dvalues + s * M, d, M, places[s]);
                        g[s] += places[s] * dot(values + s * M, d, M);
                    }
                }
            }
            for (long n = first; n < last; ++n)
                std::memcpy(p.dh + n * H, dhs + (n - first) * H, H * sizeof(Real));
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
