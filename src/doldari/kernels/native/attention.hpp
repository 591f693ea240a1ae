// Attention: how well every key fits a query, and the average of the values, weighted by that.

#pragma once

#include <cstring>

#include "kernels.hpp"
#include "parallel.hpp"
#include "vector.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

// So many vectors are summed side by side, since one sum alone waits for the result of every addition.
constexpr long SUMS = 4;

/// scores[i] = query . keys[i], for `count` keys.
template <class Real>
void fit(const Real* query, const Real* const* keys, long count, long H, Real* scores) {
    constexpr long L = LANES<Real>;
    for (long first = 0; first < count; first += SUMS) {
        const Real* from[SUMS];  // a missing key is the last one once more
        Vector<Real> sums[SUMS]{};
        for (long i = 0; i < SUMS; ++i) from[i] = keys[least(first + i, count - 1)];
        for (long j = 0; j < H; j += L) {
            const Vector<Real> x = load(query + j, H - j);
            for (long i = 0; i < SUMS; ++i) sums[i] += x * load(from[i] + j, H - j);
        }
        for (long i = 0; i < least(count - first, SUMS); ++i) scores[first + i] = sum<Real>(sums[i]);
    }
}

/// Turn `count` scores into weights that sum to 1.
template <class Real>
void softmax(Real* scores, long count) {
    constexpr long L = LANES<Real>;
    Real highest = scores[0], total = 0;
    for (long i = 1; i < count; ++i) highest = scores[i] > highest ? scores[i] : highest;
    for (long i = 0; i < count; i += L) store(scores + i, exp(load(scores + i, count - i) - highest), count - i);
    for (long i = 0; i < count; ++i) total += scores[i];
    for (long i = 0; i < count; ++i) scores[i] /= total;
}

/// context = sum over i of weights[i] * values[i], for `count` values.
template <class Real>
void average(const Real* weights, const Real* const* values, long count, long M, Real* context) {
    constexpr long L = LANES<Real>;
    for (long j = 0; j < M; j += SUMS * L) {
        Vector<Real> sums[SUMS]{};
        for (long i = 0; i < count; ++i)
            for (long v = 0; v < SUMS; ++v)
                sums[v] += weights[i] * load(values[i] + least(j + v * L, M - 1), M - j - v * L);
        for (long v = 0; v < SUMS; ++v)
            if (j + v * L < M) store(context + j + v * L, sums[v], M - j - v * L);
    }
}

/// The places s of a memory that are not padding, and the keys (H) and values (M) there.
template <class Real>
struct Places {
    long count = 0;
    Buffer<long> at;
    Buffer<const Real*> keys, values;

    explicit Places(long S) : at(S), keys(S), values(S) {}

    template <class Arguments>
    void find(const Arguments& p, long q) {
        count = 0;
        for (long s = q * p.S; s < (q + 1) * p.S; ++s) {
            if (p.mask != nullptr && !p.mask[s]) continue;
            at[count] = s - q * p.S;
            keys[count] = p.keys + s * p.H;
            values[count++] = p.values + s * p.M;
        }
    }
};

/// Look for a query among the places: a weight for each, and the values' average; with no places that is 0.
template <class Real>
void look(const Real* query, const Places<Real>& places, long H, long M, Real* weights, Real* context) {
    if (places.count > 0) {
        fit(query, places.keys + 0, places.count, H, weights);
        softmax(weights, places.count);
    }
    average(weights, places.values + 0, places.count, M, context);
}

template <class Real>
void attend(const Attend<Real>& p) {
    const long P = p.P, S = p.S, H = p.H, M = p.M;
    parallel_ranges(P, part_count(P, 4.0 * P * S * (H + M)), [&](long first, long last) {
        Places<Real> places(S);
        const Buffer<Real> fitting(S);
        for (long n = first; n < last; ++n) {
            if (n == first || p.rows[n] != p.rows[n - 1]) places.find(p, p.rows[n]);
            look(p.queries + n * H, places, H, M, fitting + 0, p.contexts + n * M);
            std::memset(p.weights + n * S, 0, S * sizeof(Real));
            for (long i = 0; i < places.count; ++i) p.weights[n * S + places.at[i]] = fitting[i];
        }
    });
}

template <class Real>
void attend_backward(const AttendBackward<Real>& p) {
    const long P = p.P, Q = p.Q, S = p.S, H = p.H, M = p.M;
    // The queries in the order of the memories that they look at: those of memory q end at ends[q].
    const Buffer<long> ends(Q + 1), ordered(P);
    std::memset(ends + 0, 0, (Q + 1) * sizeof(long));
    for (long n = 0; n < P; ++n) ++ends[p.rows[n] + 1];
    for (long q = 0; q < Q; ++q) ends[q + 1] += ends[q];
    for (long n = 0; n < P; ++n) ordered[ends[p.rows[n]]++] = n;
    parallel_ranges(Q, part_count(Q, 8.0 * P * S * (H + M)), [&](long first, long last) {
        Places<Real> places(S);
        const Buffer<const Real*> queries(P), dcontexts(P);
        const Buffer<Real> dscores(S), every_dscore(S * P), every_weight(S * P);  // of each place, query after query
        for (long q = first; q < last; ++q) {
            places.find(p, q);
            const long* asked = ordered + (q > 0 ? ends[q - 1] : 0);
            const long T = ordered + ends[q] - asked, count = places.count;
            for (long t = 0; t < T; ++t) {
                const Real* weights = p.weights + asked[t] * S;
                queries[t] = p.queries + asked[t] * H;
                dcontexts[t] = p.dcontexts + asked[t] * M;
                fit(dcontexts[t], places.values + 0, count, M, dscores + 0);
                if (p.dweights != nullptr)
                    for (long i = 0; i < count; ++i) dscores[i] += p.dweights[asked[t] * S + places.at[i]];
                Real mean = 0;
                for (long i = 0; i < count; ++i) mean += weights[places.at[i]] * dscores[i];
                for (long i = 0; i < count; ++i) {
                    const Real weight = weights[places.at[i]];
                    every_dscore[i * T + t] = dscores[i] = weight * (dscores[i] - mean);
                    every_weight[i * T + t] = weight;
                }
                average(dscores + 0, places.keys + 0, count, H, p.dqueries + asked[t] * H);
            }
            std::memset(p.dkeys + q * S * H, 0, S * H * sizeof(Real));
            std::memset(p.dvalues + q * S * M, 0, S * M * sizeof(Real));
            for (long i = 0; i < count; ++i) {
                const long place = q * S + places.at[i];
                average(every_dscore + i * T, queries + 0, T, H, p.dkeys + place * H);
                average(every_weight + i * T, dcontexts + 0, T, M, p.dvalues + place * M);
            }
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
