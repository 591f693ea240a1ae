// The top-k ids of a softmax.

#pragma once

#include "kernels.hpp"
#include "parallel.hpp"
#include "vector.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

/// Choose the K highest of `scores`, best first, ties by lower id; -inf and arbitrary ids if there are fewer than K.
template <class Real>
void likeliest_row(const Real* scores, const bool* allowed, long V, long K, int32_t* ids, double* logs) {
    constexpr long L = LANES<Real>;
    constexpr Real NOTHING = -INFINITY;
    Vector<Real> highests = splat(NOTHING), totals{};
    for (long j = 0; j < V; j += L) highests = maximum(highests, load(scores + j, V - j, NOTHING));
    const Real highest = reduce<Real>(highests, [](Real a, Real b) { return a > b ? a : b; });
    for (long j = 0; j < V; j += L) totals += exp(load(scores + j, V - j, NOTHING) - highest);
    const double below = std::log(static_cast<double>(sum<Real>(totals)));
    for (long k = 0; k < K; ++k) {
        ids[k] = 0;
        logs[k] = NOTHING;
    }
    for (long id = 0; id < V; ++id) {
        if (!(scores[id] > logs[K - 1]) || (allowed != nullptr && !allowed[id])) continue;
        long k = K - 1;
        for (; k > 0 && scores[id] > logs[k - 1]; --k) {
            ids[k] = ids[k - 1];
            logs[k] = logs[k - 1];
        }
        ids[k] = static_cast<int32_t>(id);
        logs[k] = scores[id];
    }
    for (long k = 0; k < K; ++k) logs[k] -= highest + below;
}

template <class Real>
void likeliest(const Likeliest<Real>& p) {
    parallel_ranges(p.N, part_count(p.N, 20.0 * p.N * p.V), [&](long first, long last) {
        for (long n = first; n < last; ++n)
            likeliest_row(p.scores + n * p.V, p.allowed == nullptr ? nullptr : p.allowed + n * p.V, p.V, p.K,
                          p.ids + n * p.K, p.logs + n * p.K);
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
