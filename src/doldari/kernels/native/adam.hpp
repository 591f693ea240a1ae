// The optimizer's passes over the flat buffers: norm, clipping, Adam.

#pragma once

#include "kernels.hpp"
#include "product.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

constexpr long STRETCH = 4096;

/// The Euclidean norm: sums of fixed stretches, added in order, so that the number of threads does not change a bit.
template <class Real>
double norm(const Real* x, long size) {
    constexpr long L = LANES<Real>;
    const long stretches = ceil_divide(size, STRETCH);
    const Buffer<double> squares(stretches);
    parallel_ranges(stretches, part_count(stretches, 2.0 * size), [&](long first, long last) {
        for (long stretch = first; stretch < last; ++stretch) {
            const long start = stretch * STRETCH, end = size < start + STRETCH ? size : start + STRETCH;
            Vector<Real> sums[4] = {};
            for (long j = start; j < end; j += 4 * L) {
                for (long k = 0; k < 4; ++k) {
                    if (j + k * L >= end) break;
                    const Vector<Real> part = load(x + j + k * L, end - j - k * L);
                    sums[k] += part * part;
                }
            }
            squares[stretch] = sum<Real>((sums[0] + sums[1]) + (sums[2] + sums[3]));
        }
    });
    double total = 0;
    for (long stretch = 0; stretch < stretches; ++stretch) total += squares[stretch];
    return std::sqrt(total);
}

template <class Real>
void scale(Real* x, long size, Real factor) {
    const long stretches = ceil_divide(size, STRETCH);
    parallel_ranges(stretches, part_count(stretches, 2.0 * size), [&](long first, long last) {
        const long end = size < last * STRETCH ? size : last * STRETCH;
        for (long j = first * STRETCH; j < end; ++j) x[j] *= factor;
    });
}

/// Scale the gradients by `factor` and take one step of Adam, in one pass.
template <class Real>
void adam(const Adam<Real>& p, Real factor) {
    const Real rate = static_cast<Real>(p.learning_rate / (1 - std::pow(p.beta1, p.step)));
    const Real correction = static_cast<Real>(1 / (1 - std::pow(p.beta2, p.step)));
    const Real beta1 = static_cast<Real>(p.beta1), fresh1 = static_cast<Real>(1 - p.beta1);
    const Real beta2 = static_cast<Real>(p.beta2), fresh2 = static_cast<Real>(1 - p.beta2);
    const Real eps = static_cast<Real>(p.eps);
    const long stretches = ceil_divide(p.size, STRETCH);
    parallel_ranges(stretches, part_count(stretches, 20.0 * p.size), [&](long first, long last) {
        const long end = p.size < last * STRETCH ? p.size : last * STRETCH;
        Real *__restrict values = p.values, *__restrict gradients = p.gradients, *__restrict m = p.m,
             *__restrict v = p.v;
        for (long j = first * STRETCH; j < end; ++j) {
            const Real gradient = gradients[j] * factor;
            gradients[j] = gradient;
            m[j] = beta1 * m[j] + fresh1 * gradient;
            v[j] = beta2 * v[j] + fresh2 * (gradient * gradient);
            values[j] -= rate * m[j] / (std::sqrt(v[j] * correction) + eps);
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
