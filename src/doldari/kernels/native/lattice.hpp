// A transducer's lattice, as reference/transducer.py explains it.

#pragma once

#include <cmath>
#include <cstring>

#include "kernels.hpp"
#include "parallel.hpp"
#include "vector.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

constexpr double LEAST = 1e-30, LEAST_REST = 1e-6;

/// Where the cells of every step begin.
struct Cells : Buffer<long> {
    template <class Arguments>
    explicit Cells(const Arguments& a) : Buffer<long>(a.P + 1) {
        (*this)[0] = 0;
        for (long p = 0; p < a.P; ++p) (*this)[p + 1] = (*this)[p] + a.lengths[a.rows[p]];
    }
};

/// So many of the hidden units are worked on at a time.
template <class Real>
constexpr long STRIP = 4 * LANES<Real>;

template <class Real>
void meet(const Meet<Real>& a) {
    constexpr long L = LANES<Real>;
    const Cells cells(a);
    parallel_ranges(a.P, part_count(a.P, 20.0 * a.M * a.J), [&](long first, long last) {
        for (long p = first; p < last; ++p) {
            const Real *query = a.queries + p * a.J, *keys = a.keys + a.rows[p] * a.S * a.J;
            const Real* scale = a.scales == nullptr ? nullptr : a.scales + a.rows[p] * a.J;
            for (long s = 0; s < a.lengths[a.rows[p]]; ++s) {
                Real* z = a.zs + (cells[p] + s) * a.J;
                for (long j = 0; j < a.J; j += STRIP<Real>) {
                    Vector<Real> x[4];
                    for (long v = 0; v < 4; ++v)
                        x[v] = load(query + j + v * L, a.J - j - v * L) + load(keys + s * a.J + j + v * L, a.J - j - v * L);
                    tanh(x);
                    for (long v = 0; v < 4; ++v) {
                        const long at = j + v * L, left = a.J - at;
                        store(z + at, scale == nullptr ? x[v] : x[v] * load(scale + at, left), left);
                    }
                }
            }
        }
    });
}

template <class Real>
void meet_backward(const MeetBackward<Real>& a) {
    constexpr long L = LANES<Real>;
    const Cells cells(a);
    // The steps of one source, which stand side by side, add to the same keys' gradients.
    const Buffer<long> runs(a.P + 1);
    long count = 0;
    for (long p = 0; p < a.P; ++p)
        if (p == 0 || a.rows[p] != a.rows[p - 1]) runs[count++] = p;
    runs[count] = a.P;
    parallel_ranges(count, part_count(count, 20.0 * a.M * a.J), [&](long first, long last) {
        for (long p = runs[first]; p < runs[last]; ++p) {
            const long row = a.rows[p];
            const Real* scale = a.scales == nullptr ? nullptr : a.scales + row * a.J;
            for (long j = 0; j < a.J; j += L) {
                const Vector<Real> zero{}, scaled = scale == nullptr ? splat(Real(1)) : load(scale + j, a.J - j);
                const Vector<Real> inverse = scaled == zero ? zero : Real(1) / scaled;
                Vector<Real> total{};
                for (long s = 0; s < a.lengths[row]; ++s) {
                    const long at = (cells[p] + s) * a.J + j;
                    Real* dkey = a.dkeys + (row * a.S + s) * a.J + j;
                    const Vector<Real> z = load(a.zs + at, a.J - j);
                    const Vector<Real> d = load(a.dzs + at, a.J - j) * (scaled - z * z * inverse);
                    store(dkey, load(dkey, a.J - j) + d, a.J - j);
                    total += d;
                }
                store(a.dqueries + p * a.J + j, total, a.J - j);
            }
        }
    });
}

/// Turn a cell's scores into probabilities of what may be done there.
template <class Real>
void choose(Real* inserted, Real* moved, long V, bool may_end, bool may_copy, bool may_move, long end_id) {
    constexpr long L = LANES<Real>;
    constexpr Real NOTHING = -INFINITY;
    if (end_id >= 0 && !may_end) inserted[end_id] = NOTHING;
    Vector<Real> highests = splat(NOTHING), totals{};
    for (long j = 0; j < V; j += L) highests = maximum(highests, load(inserted + j, V - j, NOTHING));
    Real highest = reduce<Real>(highests, [](Real x, Real y) { return x > y ? x : y; });
    if (may_copy && moved[0] > highest) highest = moved[0];
    if (may_move && moved[1] > highest) highest = moved[1];
    for (long j = 0; j < V; j += L) {
        const Vector<Real> x = exp(load(inserted + j, V - j, NOTHING) - highest);
        store(inserted + j, x, V - j);
        totals += x;
    }
    if (end_id >= 0 && !may_end) inserted[end_id] = 0;  // of exp it is 0, or too small to change a sum
    const Real copy = may_copy ? std::exp(moved[0] - highest) : 0;
    const Real move = may_move ? std::exp(moved[1] - highest) : 0;
    const Real factor = 1 / (sum<Real>(totals) + copy + move);
    for (long j = 0; j < V; j += L) store(inserted + j, load(inserted + j, V - j) * factor, V - j);
    moved[0] = copy * factor;
    moved[1] = move * factor;
}

/// 1 - round, but not 0.
template <class Real>
Real rest(Real round) {
    const Real left = 1 - round;
    return left > Real(LEAST_REST) ? left : Real(LEAST_REST);
}

template <class Real>
void transduce(const Transduce<Real>& a) {
    constexpr long L = LANES<Real>;
    const long V = a.V;
    const Cells cells(a);
    parallel_ranges(a.P, part_count(a.P, 40.0 * a.M * V), [&](long first, long last) {
        for (long p = first; p < last; ++p) {
            const long S = a.lengths[a.rows[p]];
            const int32_t* own = a.copies + a.rows[p] * a.S;
            const Real* places = a.places + p * a.S;
            Real *reached = a.reached + p * a.S, *logs = a.logs + p * V;
            std::memset(logs, 0, V * sizeof(Real));
            Real at_end = 0, round = 1;  // of reaching the end without going around; of going around
            for (long s = 0; s < S; ++s) {
                Real *insert = a.inserted + (cells[p] + s) * V, *move = a.moved + (cells[p] + s) * 2;
                choose(insert, move, V, s == S - 1, s < S - 1 && own[s] >= 0, S > 1, a.end_id);
                at_end += places[s];
                if (s < S - 1) at_end *= move[1];
                round *= move[1];
            }
            // All rounds at once: x + x round + x round^2 + ... = x / (1 - round).
            const Real* last = a.moved + (cells[p] + S - 1) * 2;
            Real deleted = at_end * last[1] / rest(round), copied = 0;  // of the place before
            for (long s = 0; s < S; ++s) {
                Real *insert = a.inserted + (cells[p] + s) * V, *move = a.moved + (cells[p] + s) * 2;
                Real* arrivals = a.arrivals + (p * a.S + s) * V;
                reached[s] = places[s] + deleted;
                for (long j = 0; j < V; j += L) store(arrivals + j, reached[s] * load(insert + j, V - j), V - j);
                if (s > 0 && own[s - 1] >= 0) arrivals[own[s - 1]] += copied;
                for (long j = 0; j < V; j += L)
                    store(logs + j, load(logs + j, V - j) + load(arrivals + j, V - j), V - j);
                copied = reached[s] * move[0];
                deleted = reached[s] * move[1];
            }
            for (long s = S; s < a.S; ++s) reached[s] = 0;
            std::memset(a.arrivals + (p * a.S + S) * V, 0, (a.S - S) * V * sizeof(Real));
            for (long v = 0; v < V; ++v) logs[v] = std::log(logs[v] > Real(LEAST) ? logs[v] : Real(LEAST));
        }
    });
}

/// part / whole, and 0 of nothing.
template <class Real>
Real share(Real part, Real whole) {
    return whole > 0 ? part / whole : 0;
}

template <class Real>
void transduce_backward(const TransduceBackward<Real>& a) {
    constexpr long L = LANES<Real>;
    const long V = a.V;
    const Cells cells(a);
    const Real lowest = std::log(Real(LEAST));
    parallel_ranges(a.P, part_count(a.P, 40.0 * a.M * V), [&](long first, long last) {
        const Buffer<Real> asked(V), reaching(a.S);
        for (long p = first; p < last; ++p) {
            const long S = a.lengths[a.rows[p]], written = a.written[p];
            const int32_t* own = a.copies + a.rows[p] * a.S;
            const Real *places = a.places + p * a.S, *here = a.reached + p * a.S;
            const Real *arrived = a.arrivals + p * a.S * V + written, *garrived = a.garrivals + p * a.S;
            for (long v = 0; v < V; ++v) {
                const Real log = a.logs[p * V + v];
                asked[v] = log > lowest ? a.dlogs[p * V + v] * std::exp(-log) : 0;
            }
            // What reaches a cell from the symbols; then how it goes around, from the first place backwards.
            Real around = 0, round = 1;
            for (long s = S - 1; s >= 0; --s) {
                const Real *insert = a.inserted + (cells[p] + s) * V, *move = a.moved + (cells[p] + s) * 2;
                Real *dinserted = a.dinserted + (cells[p] + s) * V, *dmoved = a.dmoved + (cells[p] + s) * 2;
                Vector<Real> totals{};
                for (long j = 0; j < V; j += L) {
                    const Vector<Real> d = here[s] * load(insert + j, V - j) * load(asked + j, V - j);
                    store(dinserted + j, d, V - j);
                    totals += d;
                }
                const Real more = share(here[s] * insert[written], arrived[s * V]) * garrived[s];
                dinserted[written] += more;
                Real gcopy = 0;
                if (s < S - 1 && own[s] >= 0) {
                    gcopy = here[s] * move[0] * asked[own[s]];
                    if (own[s] == written) gcopy += share(here[s] * move[0], arrived[(s + 1) * V]) * garrived[s + 1];
                }
                dmoved[0] = gcopy;
                reaching[s] = sum<Real>(totals) + more + gcopy;
                if (s < S - 1) around *= share(here[s] * move[1], here[s + 1]);
                around += reaching[s];
                round *= move[1];
            }
            Real g = around / rest(round);  // of the cell behind, and then of this one
            for (long s = S - 1; s >= 0; --s) {
                const Real *insert = a.inserted + (cells[p] + s) * V, *move = a.moved + (cells[p] + s) * 2;
                Real *dinserted = a.dinserted + (cells[p] + s) * V, *dmoved = a.dmoved + (cells[p] + s) * 2;
                const Real gmove = share(here[s] * move[1], here[s < S - 1 ? s + 1 : 0]) * g;
                g = reaching[s] + gmove;
                for (long j = 0; j < V; j += L)
                    store(dinserted + j, load(dinserted + j, V - j) - g * load(insert + j, V - j), V - j);
                dmoved[0] -= g * move[0];
                dmoved[1] = gmove - g * move[1];
                a.gplaces[p * a.S + s] = share(places[s], here[s]) * g;
            }
            for (long s = S; s < a.S; ++s) a.gplaces[p * a.S + s] = 0;
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
