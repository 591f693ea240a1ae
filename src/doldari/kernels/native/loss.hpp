// Softmax and cross-entropy.

#pragma once

#include "kernels.hpp"
#include "product.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

/// Write softmax - one-hot and return the loss of one position.
template <class Real>
double softmax_position(const Real* scores, long V, int32_t target, Real* dscores) {
    constexpr long L = LANES<Real>;
    // -inf fills the vectors past V: exp makes it (nearly) 0, and `sum` below counts only what is there.
    Real highest = scores[0];
    for (long j = 1; j < V; ++j) highest = scores[j] > highest ? scores[j] : highest;
    Real total = 0;
    Vector<Real> totals{};
    for (long j = 0; j < V; j += L) {
        const Vector<Real> x = exp(load(scores + j, V - j) - highest);
        store(dscores + j, x, V - j);
        if (V - j >= L) {
            totals += x;
        } else {
            for (long lane = 0; lane < V - j; ++lane) total += x[lane];
        }
    }
    total += sum<Real>(totals);
    const double loss = std::log(static_cast<double>(total)) - (scores[target] - highest);
    const Real factor = 1 / total;
    for (long j = 0; j < V; ++j) dscores[j] *= factor;
    dscores[target] -= 1;
    return loss;
}

template <class Real>
double softmax_loss(const SoftmaxLoss<Real>& p) {
    // Sums of fixed stretches, added in order: the same bits whatever the number of threads.
    constexpr long STRETCH = 32;
    const long stretches = ceil_divide(p.positions, STRETCH);
    const Buffer<double> losses(stretches);
    parallel_ranges(stretches, part_count(stretches, 20.0 * p.positions * p.V), [&](long first, long last) {
        for (long stretch = first; stretch < last; ++stretch) {
            const long start = stretch * STRETCH;
            const long end = p.positions < start + STRETCH ? p.positions : start + STRETCH;
            losses[stretch] = 0;
            for (long at = start; at < end; ++at) {
                Real* dscores = p.dscores + at * p.V;
                if (p.mask == nullptr || p.mask[at])
                    losses[stretch] += softmax_position(p.scores + at * p.V, p.V, p.targets[at], dscores);
                else
                    std::memset(dscores, 0, p.V * sizeof(Real));
            }
        }
    });
    double loss = 0;
    for (long stretch = 0; stretch < stretches; ++stretch) loss += losses[stretch];
    return loss;
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
