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
        const long start = (q * p.S + s) * p.D + head * (p.D / p.heads);
        places.at[places.count] = s;
        places.keys[places.count] = p.keys + start;
        places.values[places.count++] = p.values + start;
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
                const Real* query = p.queries + (n * T + t) * D + head * E;
                for (long i = 0; i < E; ++i) scaled[i] = query[i] * scale;
                look(scaled + 0, places, E, E, fitting + 0, p.contexts + (n * T + t) * D + head * E);
                std::memset(weights, 0, S * sizeof(Real));
                for (long i = 0; i < seen; ++i) weights[places.at[i]] = fitting[i];
            }
        }
    });
}

template <class Real>
void attend_heads_backward(const AttendHeadsBackward<Real>& p) {
    const long T = p.T, S = p.S, D = p.D, E = D / p.heads, items = p.N * p.heads;
    const Real scale = 1 / std::sqrt(Real(E));
    parallel_ranges(items, part_count(items, 16.0 * p.N * T * S * D), [&](long first, long last) {
        const Buffer<const Real*> queries(T), dcontexts(T), keys(S), values(S);
        const Buffer<Real> dscores(S), every_dscore(S * T), every_weight(S * T);  // of each place, query after query
        for (long item = first; item < last; ++item) {
            const long n = item / p.heads, head = item % p.heads;
            const auto place = [&](long row, long at) { return (n * row + at) * D + head * E; };
            for (long s = 0; s < S; ++s) {
                keys[s] = p.keys + place(S, s);
                values[s] = p.values + place(S, s);
            }
            for (long t = 0; t < T; ++t) {
                const Real* weights = p.weights + (item * T + t) * S;
                queries[t] = p.queries + place(T, t);
                dcontexts[t] = p.dcontexts + place(T, t);
                fit(dcontexts[t], values + 0, S, E, dscores + 0);
                Real mean = 0;
                for (long s = 0; s < S; ++s) mean += weights[s] * dscores[s];
                for (long s = 0; s < S; ++s) {
                    every_dscore[s * T + t] = dscores[s] = weights[s] * (dscores[s] - mean) * scale;
                    every_weight[s * T + t] = weights[s];
                }
                average(dscores + 0, keys + 0, S, E, p.dqueries + place(T, t));
            }
            for (long s = 0; s < S; ++s) {
                average(every_dscore + s * T, queries + 0, T, E, p.dkeys + place(S, s));
                average(every_weight + s * T, dcontexts + 0, T, E, p.dvalues + place(S, s));
            }
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
