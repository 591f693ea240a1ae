// Attention with several heads, and the rotation that tells it positions.

#pragma once

#include <cmath>
#include <cstring>

#include "attention.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

template <class Real>
void rotate(const Rotate<Real>& p) {
    constexpr long L = LANES<Real>;
    const long half = p.E;
    parallel_ranges(p.P, part_count(p.P, 6.0 * p.P * p.D), [&](long first, long last) {
        for (long at = first; at < last; ++at) {
            const Real *cosines = p.cosines + p.rows[at] * half, *sines = p.sines + p.rows[at] * half;
            for (long head = at * p.D; head < (at + 1) * p.D; head += 2 * half) {
                const Real *x1 = p.xs + head, *x2 = x1 + half;
                Real *y1 = p.ys + head, *y2 = y1 + half;
                for (long i = 0; i < half; i += L) {
                    const Vector<Real> a = load(x1 + i, half - i), b = load(x2 + i, half - i);
                    const Vector<Real> c = load(cosines + i, half - i);
                    const Vector<Real> s = p.backwards ? -load(sines + i, half - i) : load(sines + i, half - i);
                    store(y1 + i, a * c - b * s, half - i);
                    store(y2 + i, a * s + b * c, half - i);
                }
            }
        }
    });
}

/// The places s of row q of a memory that are not padding, and one head's keys and values (E) there.
template <class Real>
void find_head(Places<Real>& places, const AttendHeads<Real>& p, long q, long head) {
    places.count = 0;
    for (long s = 0; s < p.S; ++s) {
        if (p.mask != nullptr && !p.mask[q * p.S + s]) continue;
        const long start = s * p.D + head * (p.D / p.heads);
        places.at[places.count] = s;
        places.keys[places.count] = p.keys[q] + start;
        places.values[places.count++] = p.values[q] + start;
    }
}

template <class Real>
void attend_heads(const AttendHeads<Real>& p) {
    const long T = p.T, S = p.S, D = p.D, E = D / p.heads, items = p.N * p.heads;
    const Real scale = 1 / std::sqrt(Real(E));
    parallel_ranges(items, part_count(items, 8.0 * p.N * T * S * D), [&](long first, long last) {
        Places<Real> places(S);
        const Buffer<Real> fitting(S), scaled(E);
        for (long item = first; item < last; ++item) {
            const long n = item / p.heads, head = item % p.heads;
            find_head(places, p, p.rows == nullptr ? n : p.rows[n], head);
            const long all = places.count;
            for (long t = 0, seen = 0; t < T; ++t) {
                while (seen < all && (!p.causal || places.at[seen] <= S - T + t)) ++seen;
                places.count = seen;
                Real* weights = p.weights + (item * T + t) * S;
                if (p.asking != nullptr && !p.asking[n * T + t]) places.count = 0;
                const Real* query = p.queries + (n * T + t) * D + head * E;
                for (long i = 0; i < E; ++i) scaled[i] = query[i] * scale;
                look(scaled + 0, places, E, E, fitting + 0, p.contexts + (n * T + t) * D + head * E);
                std::memset(weights, 0, S * sizeof(Real));
                for (long i = 0; i < places.count; ++i) weights[places.at[i]] = fitting[i];
            }
        }
    });
}

/// What of one head's weights (T, S) is not 0: the places that any query looks at, and the queries that look at any.
///
/// Query number r looks at none from places[ends[r]] on, and of place number i none before query first[i] knows.
template <class Real>
struct Looked {
    long places = 0, queries = 0;
    Buffer<long> place, query, ends, first;

    Looked(long T, long S) : place(S), query(T), ends(T), first(S) {}

    void find(const Real* weights, long T, long S) {
        places = queries = 0;
        for (long s = 0; s < S; ++s) {
            long t = 0;
            while (t < T && weights[t * S + s] == 0) ++t;
            if (t == T) continue;
            first[places] = t;
            place[places++] = s;
        }
        for (long t = 0; t < T; ++t) {
            long end = places;
            while (end > 0 && weights[t * S + place[end - 1]] == 0) --end;
            if (end == 0) continue;
            ends[queries] = end;
            query[queries++] = t;
        }
        for (long i = 0; i < places; ++i) {
            long r = 0;
            while (query[r] < first[i]) ++r;
            first[i] = r;
        }
    }
};

template <class Real>
void attend_heads_backward(const AttendHeadsBackward<Real>& p) {
    const long T = p.T, S = p.S, D = p.D, E = D / p.heads, items = p.N * p.heads;
    const Real scale = 1 / std::sqrt(Real(E));
    parallel_ranges(items, part_count(items, 16.0 * p.N * T * S * D), [&](long first, long last) {
        Looked<Real> looked(T, S);
        const Buffer<const Real*> queries(T), dcontexts(T), keys(S), values(S);
        const Buffer<Real> dscores(S), every_dscore(S * T), every_weight(S * T);  // of each place, query after query
        for (long item = first; item < last; ++item) {
            const long n = item / p.heads, head = item % p.heads;
            const Real* weights = p.weights + item * T * S;
            const auto at = [&](long positions, long t) { return (n * positions + t) * D + head * E; };
            looked.find(weights, T, S);
            for (long t = 0; t < T; ++t) std::memset(p.dqueries + at(T, t), 0, E * sizeof(Real));
            for (long s = 0; s < S; ++s) std::memset(p.dkeys + at(S, s), 0, E * sizeof(Real));
            for (long s = 0; s < S; ++s) std::memset(p.dvalues + at(S, s), 0, E * sizeof(Real));
            for (long i = 0; i < looked.places; ++i) {
                keys[i] = p.keys + at(S, looked.place[i]);
                values[i] = p.values + at(S, looked.place[i]);
            }
            for (long r = 0; r < looked.queries; ++r) {
                const long t = looked.query[r], count = looked.ends[r];
                queries[r] = p.queries + at(T, t);
                dcontexts[r] = p.dcontexts + at(T, t);
                fit(dcontexts[r], values + 0, count, E, dscores + 0);
                Real mean = 0;
                for (long i = 0; i < count; ++i) mean += weights[t * S + looked.place[i]] * dscores[i];
                for (long i = 0; i < looked.places; ++i) {
                    const Real weight = weights[t * S + looked.place[i]];
                    every_weight[i * T + r] = weight;
                    every_dscore[i * T + r] = dscores[i] = i < count ? weight * (dscores[i] - mean) * scale : 0;
                }
                average(dscores + 0, keys + 0, count, E, p.dqueries + at(T, t));
            }
            for (long i = 0; i < looked.places; ++i) {
                const long from = looked.first[i], count = looked.queries - from;
                average(every_dscore + i * T + from, queries + from, count, E, p.dkeys + at(S, looked.place[i]));
                average(every_weight + i * T + from, dcontexts + from, count, E, p.dvalues + at(S, looked.place[i]));
            }
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
