// Attention: how well every key fits a query, and the average of the values, weighted by that.

#pragma once

#include "product.hpp"

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

template <class Real>
void attend(const Attend<Real>& p) {
    const long N = p.N, S = p.S, T = p.T, H = p.H, M = p.M;
    parallel_ranges(N, part_count(N, 4.0 * N * T * S * (H + M)), [&](long first, long last) {
        const Buffer<const Real*> keys(S), values(S);
        const Buffer<Real> fitting(S);
        const Buffer<long> places(S);
        for (long n = first; n < last; ++n) {
            const long row = p.rows[n];
            long count = 0;  // of what is not padding
            for (long s = 0; s < S; ++s) {
                if (p.mask != nullptr && !p.mask[row * S + s]) continue;
                keys[count] = p.keys + (row * S + s) * H;
                values[count] = p.values + (row * S + s) * M;
                places[count++] = s;
            }
            for (long at = n * T; at < (n + 1) * T; ++at) {
                Real* weights = p.weights + at * S;
                if (count > 0) {
                    fit(p.queries + at * H, keys + 0, count, H, fitting + 0);
                    softmax(fitting + 0, count);
                }
                std::memset(weights, 0, S * sizeof(Real));
                for (long i = 0; i < count; ++i) weights[places[i]] = fitting[i];
                average(fitting + 0, values + 0, count, M, p.contexts + at * M);
            }
        }
    });
}

template <class Real>
void attend_backward(const AttendBackward<Real>& p) {
    const long N = p.N, S = p.S, T = p.T, H = p.H, M = p.M;
    parallel_ranges(N, part_count(N, 4.0 * N * T * S * (H + M)), [&](long first, long last) {
        const Buffer<const Real*> keys(S), values(S), queries(T), dcontexts(T);
        const Buffer<Real> dscores(S), every_dscore(S * T), every_weight(S * T);  // of each place, step after step
        for (long n = first; n < last; ++n) {
            for (long s = 0; s < S; ++s) {
                keys[s] = p.keys + (n * S + s) * H;
                values[s] = p.values + (n * S + s) * M;
            }
            for (long t = 0; t < T; ++t) {
                queries[t] = p.queries + (n * T + t) * H;
                dcontexts[t] = p.dcontexts + (n * T + t) * M;
                const Real* weights = p.weights + (n * T + t) * S;
                fit(dcontexts[t], values + 0, S, M, dscores + 0);
                Real mean = 0;
                for (long s = 0; s < S; ++s) mean += weights[s] * dscores[s];
                for (long s = 0; s < S; ++s) {
                    every_dscore[s * T + t] = dscores[s] = weights[s] * (dscores[s] - mean);
                    every_weight[s * T + t] = weights[s];
                }
                average(dscores + 0, keys + 0, S, H, p.dqueries + (n * T + t) * H);
            }
            for (long s = 0; s < S; ++s) {
                average(every_dscore + s * T, queries + 0, T, H, p.dkeys + (n * S + s) * H);
                average(every_weight + s * T, dcontexts + 0, T, M, p.dvalues + (n * S + s) * M);
            }
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
