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

/// Let one step meet `count` places of its source: z = scale tanh(query + key).
template <class Real>
void meet_step(const Real* query, const Real* keys, const Real* scale, long count, long J, Real* z) {
    constexpr long L = LANES<Real>;
    for (long s = 0; s < count; ++s, keys += J, z += J) {
        for (long j = 0; j < J; j += STRIP<Real>) {
            Vector<Real> x[4];
            for (long v = 0; v < 4; ++v)
                x[v] = load(query + j + v * L, J - j - v * L) + load(keys + j + v * L, J - j - v * L);
            tanh(x);
            for (long v = 0; v < 4; ++v) {
                const long at = j + v * L, left = J - at;
                store(z + at, scale == nullptr ? x[v] : x[v] * load(scale + at, left), left);
            }
        }
    }
}

template <class Real>
void meet(const Meet<Real>& a) {
    const Cells cells(a);
    parallel_ranges(a.P, part_count(a.P, 20.0 * a.M * a.J), [&](long first, long last) {
        for (long p = first; p < last; ++p) {
            const long row = a.rows[p];
            meet_step(a.queries + p * a.J, a.keys + row * a.S * a.J, a.scales == nullptr ? nullptr : a.scales + row * a.J,
                      a.lengths[row], a.J, a.zs + cells[p] * a.J);
        }
    });
}

/// Run `meet_step` backwards: writes dquery, adds to dkeys.
template <class Real>
void meet_step_back(const Real* dz, const Real* z, const Real* scale, long count, long J, Real* dquery, Real* dkeys) {
    constexpr long L = LANES<Real>;
    for (long j = 0; j < J; j += L) {
        const Vector<Real> zero{}, scaled = scale == nullptr ? splat(Real(1)) : load(scale + j, J - j);
        const Vector<Real> inverse = scaled == zero ? zero : Real(1) / scaled;
        Vector<Real> total{};
        for (long s = 0; s < count; ++s) {
            Real* dkey = dkeys + s * J + j;
            const Vector<Real> x = load(z + s * J + j, J - j);
            const Vector<Real> d = load(dz + s * J + j, J - j) * (scaled - x * x * inverse);
            store(dkey, load(dkey, J - j) + d, J - j);
            total += d;
        }
        store(dquery + j, total, J - j);
    }
}

template <class Real>
void meet_backward(const MeetBackward<Real>& a) {
    const Cells cells(a);
    // The steps of one source, which stand side by side, add to the same keys' gradients.
    const Buffer<long> runs(a.P + 1);
    long count = 0;
    for (long p = 0; p < a.P; ++p)
        if (p == 0 || a.rows[p] != a.rows[p - 1]) runs[count++] = p;
    runs[count] = a.P;
    parallel_ranges(count, part_count(count, 20.0 * a.M * a.J), [&](long first, long last) {
        for (long p = runs[first]; p < runs[last]; ++p) {
            const long row = a.rows[p], at = cells[p] * a.J;
            meet_step_back(a.dzs + at, a.zs + at, a.scales == nullptr ? nullptr : a.scales + row * a.J, a.lengths[row],
                           a.J, a.dqueries + p * a.J, a.dkeys + row * a.S * a.J);
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

/// One step's cells: scores or probabilities of actions, `step` apart, and what the places are to it.
template <class Real>
struct Lattice {
    long S, V;           // places, symbols
    const int32_t* own;  // what copying each place writes, or -1
    const Real* places;
    Real *inserted, *moved;  // of the first cell
    long insert_step, move_step;

    Real* insert(long s) const { return inserted + s * insert_step; }
    Real* move(long s) const { return moved + s * move_step; }
};

/// Sum up the ways of one step to every next symbol: reached (S), arrivals (S, V), logs (V).
template <class Real>
void transduce_step(const Lattice<Real>& a, long end_id, Real* reached, Real* every_arrival, Real* logs) {
    constexpr long L = LANES<Real>;
    const long S = a.S, V = a.V;
    std::memset(logs, 0, V * sizeof(Real));
    Real at_end = 0, round = 1;  // of reaching the end without going around; of going around
    for (long s = 0; s < S; ++s) {
        choose(a.insert(s), a.move(s), V, s == S - 1, s < S - 1 && a.own[s] >= 0, S > 1, end_id);
        at_end += a.places[s];
        if (s < S - 1) at_end *= a.move(s)[1];
        round *= a.move(s)[1];
    }
    // All rounds at once: x + x round + x round^2 + ... = x / (1 - round).
    Real deleted = at_end * a.move(S - 1)[1] / rest(round), copied = 0;  // of the place before
    for (long s = 0; s < S; ++s) {
        const Real* insert = a.insert(s);
        Real* arrivals = every_arrival + s * V;
        reached[s] = a.places[s] + deleted;
        for (long j = 0; j < V; j += L) store(arrivals + j, reached[s] * load(insert + j, V - j), V - j);
        if (s > 0 && a.own[s - 1] >= 0) arrivals[a.own[s - 1]] += copied;
        for (long j = 0; j < V; j += L) store(logs + j, load(logs + j, V - j) + load(arrivals + j, V - j), V - j);
        copied = reached[s] * a.move(s)[0];
        deleted = reached[s] * a.move(s)[1];
    }
    for (long v = 0; v < V; ++v) logs[v] = std::log(logs[v] > Real(LEAST) ? logs[v] : Real(LEAST));
}

template <class Real>
void transduce(const Transduce<Real>& a) {
    const long V = a.V;
    const Cells cells(a);
    parallel_ranges(a.P, part_count(a.P, 40.0 * a.M * V), [&](long first, long last) {
        for (long p = first; p < last; ++p) {
            const long S = a.lengths[a.rows[p]];
            const Lattice<Real> step{
                S, V, a.copies + a.rows[p] * a.S, a.places + p * a.S, a.inserted + cells[p] * V, a.moved + cells[p] * 2, V, 2};
            transduce_step(step, a.end_id, a.reached + p * a.S, a.arrivals + p * a.S * V, a.logs + p * V);
            for (long s = S; s < a.S; ++s) a.reached[p * a.S + s] = 0;
            std::memset(a.arrivals + (p * a.S + S) * V, 0, (a.S - S) * V * sizeof(Real));
        }
    });
}

/// part / whole, and 0 of nothing.
template <class Real>
Real share(Real part, Real whole) {
    return whole > 0 ? part / whole : 0;
}

/// What comes back to one step, and goes on to the one before.
template <class Real>
struct LatticeBack {
    const Real* reached;
    const Real* arrived;  // arrivals by the symbol that was written, of places `arrived_step` apart
    long arrived_step, written;
    const Real *garrived, *logs, *dlogs;
    Real *dinserted, *dmoved;  // as far apart as the probabilities
    Real* gplaces;
};

/// Run `transduce_step` backwards; asked (V) and reaching (S) are room to work in.
template <class Real>
void transduce_step_back(const Lattice<Real>& a, const LatticeBack<Real>& b, Real* asked, Real* reaching) {
    constexpr long L = LANES<Real>;
    const long S = a.S, V = a.V, written = b.written;
    const Real *here = b.reached, lowest = std::log(Real(LEAST));
    for (long v = 0; v < V; ++v) asked[v] = b.logs[v] > lowest ? b.dlogs[v] * std::exp(-b.logs[v]) : 0;
    // What reaches a cell from the symbols; then how it goes around, from the first place backwards.
    Real around = 0, round = 1;
    for (long s = S - 1; s >= 0; --s) {
        const Real *insert = a.insert(s), *move = a.move(s);
        Real *dinserted = b.dinserted + s * a.insert_step, *dmoved = b.dmoved + s * a.move_step;
        Vector<Real> totals{};
        for (long j = 0; j < V; j += L) {
            const Vector<Real> d = here[s] * load(insert + j, V - j) * load(asked + j, V - j);
            store(dinserted + j, d, V - j);
            totals += d;
        }
        const Real more = share(here[s] * insert[written], b.arrived[s * b.arrived_step]) * b.garrived[s];
        dinserted[written] += more;
        Real gcopy = 0;
        if (s < S - 1 && a.own[s] >= 0) {
            gcopy = here[s] * move[0] * asked[a.own[s]];
            if (a.own[s] == written)
                gcopy += share(here[s] * move[0], b.arrived[(s + 1) * b.arrived_step]) * b.garrived[s + 1];
        }
        dmoved[0] = gcopy;
        reaching[s] = sum<Real>(totals) + more + gcopy;
        if (s < S - 1) around *= share(here[s] * move[1], here[s + 1]);
        around += reaching[s];
        round *= move[1];
    }
    Real g = around / rest(round);  // of the cell behind, and then of this one
    for (long s = S - 1; s >= 0; --s) {
        const Real *insert = a.insert(s), *move = a.move(s);
        Real *dinserted = b.dinserted + s * a.insert_step, *dmoved = b.dmoved + s * a.move_step;
        const Real gmove = share(here[s] * move[1], here[s < S - 1 ? s + 1 : 0]) * g;
        g = reaching[s] + gmove;
        for (long j = 0; j < V; j += L)
            store(dinserted + j, load(dinserted + j, V - j) - g * load(insert + j, V - j), V - j);
        dmoved[0] -= g * move[0];
        dmoved[1] = gmove - g * move[1];
        b.gplaces[s] = share(a.places[s], here[s]) * g;
    }
}

template <class Real>
void transduce_backward(const TransduceBackward<Real>& a) {
    const long V = a.V;
    const Cells cells(a);
    parallel_ranges(a.P, part_count(a.P, 40.0 * a.M * V), [&](long first, long last) {
        const Buffer<Real> asked(V), reaching(a.S);
        for (long p = first; p < last; ++p) {
            const long S = a.lengths[a.rows[p]], written = a.written[p], cell = cells[p];
            // The probabilities are only read.
            const Lattice<Real> step{S, V, a.copies + a.rows[p] * a.S, a.places + p * a.S,
                                     const_cast<Real*>(a.inserted) + cell * V, const_cast<Real*>(a.moved) + cell * 2, V, 2};
            transduce_step_back(step,
                                {a.reached + p * a.S, a.arrivals + p * a.S * V + written, V, written,
                                 a.garrivals + p * a.S, a.logs + p * V, a.dlogs + p * V, a.dinserted + cell * V,
                                 a.dmoved + cell * 2, a.gplaces + p * a.S},
                                asked + 0, reaching + 0);
            for (long s = S; s < a.S; ++s) a.gplaces[p * a.S + s] = 0;
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
