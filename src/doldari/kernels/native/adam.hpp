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

/// The numbers of one Adam step, the bias corrections folded in.
template <class Real>
struct AdamStep {
    Real factor, beta1, fresh1, beta2, fresh2, rate, correction, eps;
};

/// By value and apart from the closures below, so that the compiler knows that no store changes the step: 8 times
/// as fast.
template <class Real>
void adam_range(const AdamStep<Real> step, Real* __restrict values, Real* __restrict gradients, Real* __restrict m,
                Real* __restrict v, long size) {
    for (long j = 0; j < size; ++j) {
        const Real gradient = gradients[j] * step.factor;
        gradients[j] = gradient;
        m[j] = step.beta1 * m[j] + step.fresh1 * gradient;
        v[j] = step.beta2 * v[j] + step.fresh2 * (gradient * gradient);
        values[j] -= step.rate * m[j] / (std::sqrt(v[j] * step.correction) + step.eps);
    }
}

/// Scale the gradients by `factor` and take one step of Adam, in one pass.
template <class Real>
void adam(const Adam<Real>& p, Real factor) {
    const auto real = [](double x) { return static_cast<Real>(x); };
    const AdamStep<Real> step{
        .factor = factor,
        .beta1 = real(p.beta1),
        .fresh1 = real(1 - p.beta1),
        .beta2 = real(p.beta2),
        .fresh2 = real(1 - p.beta2),
        .rate = real(p.learning_rate / (1 - std::pow(p.beta1, static_cast<double>(p.step)))),
        .correction = real(1 / (1 - std::pow(p.beta2, static_cast<double>(p.step)))),
        .eps = real(p.eps),
    };
    const long stretches = ceil_divide(p.size, STRETCH);
    parallel_ranges(stretches, part_count(stretches, 20.0 * p.size), [&](long first, long last) {
        const long start = first * STRETCH, end = p.size < last * STRETCH ? p.size : last * STRETCH;
        adam_range(step, p.values + start, p.gradients + start, p.m + start, p.v + start, end - start);
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
