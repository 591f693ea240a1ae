// Softmax and cross-entropy.

#pragma once

#include <cstring>

#include "kernels.hpp"
#include "parallel.hpp"
#include "vector.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

/// Write scale * (softmax - target distribution) and return the loss of one position.
template <class Real>
double softmax_position(const Real* scores, long V, int32_t target, Real smoothing, Real scale, Real* dscores) {
    constexpr long L = LANES<Real>;
    constexpr Real NOTHING = -INFINITY;  // fills the vectors past V: exp makes it 0, or too small to change a sum
    Vector<Real> highests = splat(NOTHING), totals{}, scores_sum{};
    for (long j = 0; j < V; j += L) highests = maximum(highests, load(scores + j, V - j, NOTHING));
    const Real highest = reduce<Real>(highests, [](Real a, Real b) { return a > b ? a : b; });
    for (long j = 0; j < V; j += L) {
        const Vector<Real> x = exp(load(scores + j, V - j, NOTHING) - highest);
        store(dscores + j, x, V - j);
        totals += x;
        if (smoothing > 0) scores_sum += load(scores + j, V - j, highest) - highest;
    }
    const Real total = sum<Real>(totals), factor = scale / total, share = smoothing / V;
    for (long j = 0; j < V; ++j) dscores[j] = dscores[j] * factor - share * scale;
    dscores[target] -= (1 - smoothing) * scale;
    const Real asked = (1 - smoothing) * (scores[target] - highest) + share * sum<Real>(scores_sum);
    return std::log(static_cast<double>(total)) - asked;
}

template <class Real>
double softmax_loss(const SoftmaxLoss<Real>& p) {
    long counted = 0;
    for (long at = 0; at < p.positions; ++at) counted += p.mask == nullptr || p.mask[at];
    if (counted == 0) counted = 1;
    const Real scale = Real(1) / counted, smoothing = p.smoothing;
    // Sums of fixed stretches, added in order: the same bits whatever the number of threads.
    constexpr long STRETCH = 32;
    const long stretches = ceil_divide(p.positions, STRETCH);
    const Buffer<double> losses(stretches);
    const double flops = p.positions * (6e3 + 100.0 * p.V);  // counted as those of a product that take as long
    parallel_ranges(stretches, part_count(stretches, flops), [&](long first, long last) {
        for (long stretch = first; stretch < last; ++stretch) {
            losses[stretch] = 0;
            for (long at = stretch * STRETCH; at < least(p.positions, (stretch + 1) * STRETCH); ++at) {
                const Real* scores = p.scores + at * p.V;
                Real* dscores = p.dscores + at * p.V;
                if (p.mask == nullptr || p.mask[at])
                    losses[stretch] += softmax_position(scores, p.V, p.targets[at], smoothing, scale, dscores);
                else
                    std::memset(dscores, 0, p.V * sizeof(Real));
            }
        }
    });
    double loss = 0;
    for (long stretch = 0; stretch < stretches; ++stretch) loss += losses[stretch];
    return loss / counted;
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
