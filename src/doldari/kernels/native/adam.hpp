// The optimizer's passes over the flat buffers: norm, clipping, Adam.

#pragma once

#include "kernels.hpp"
#include "parallel.hpp"
#include "vector.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

constexpr long STRETCH = 4096;

// Operations of a product that take as long as to read one number and do little with it.
constexpr double READING = 8.0;

/// Call work(start, end) for stretches of 0 .. size - 1, shared out among the threads; each number takes as long as
/// `flops` operations of a product.
template <class Work>
void stretches(long size, double flops, const Work& work) {
    const long count = ceil_divide(size, STRETCH);
    parallel_ranges(count, part_count(count, flops * size), [&](long first, long last) {
        for (long start = first * STRETCH; start < least(size, last * STRETCH); start += STRETCH)
            work(start, least(size, start + STRETCH));
    });
}

/// The Euclidean norm: sums of fixed stretches, added in order, so that the number of threads does not change a bit.
template <class Real>
double norm(const Real* x, long size) {
    constexpr long L = LANES<Real>;
    const Buffer<double> squares(ceil_divide(size, STRETCH));
    stretches(size, READING, [&](long start, long end) {
        Vector<Real> sums[4] = {};
        for (long j = start; j < end; j += 4 * L) {
            for (long k = 0; k < 4 && j + k * L < end; ++k) {
                const Vector<Real> part = load(x + j + k * L, end - j - k * L);
                sums[k] += part * part;
            }
        }
        squares[start / STRETCH] = sum<Real>((sums[0] + sums[1]) + (sums[2] + sums[3]));
    });
    double total = 0;
    for (long start = 0; start < size; start += STRETCH) total += squares[start / STRETCH];
    return std::sqrt(total);
}

/// The factor that brings a gradient of this norm down to max_grad; 1 where there is nothing to do.
inline double clip_factor(double norm, double max_grad) { return norm > max_grad ? max_grad / norm : 1.0; }

template <class Real>
double clip_gradients(const ClipGradients<Real>& p) {
    const double before = norm(p.gradients, p.size);
    const auto factor = static_cast<Real>(clip_factor(before, p.max_grad));
    if (factor != 1) {
        stretches(p.size, READING, [&](long start, long end) {
            for (long j = start; j < end; ++j) p.gradients[j] *= factor;
        });
    }
    return before;
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

/// Clip the gradients and take one step, in one pass; return the norm before.
template <class Real>
double adam(const Adam<Real>& p) {
    const double before = norm(p.gradients, p.size);
    const auto real = [](double x) { return static_cast<Real>(x); };
    const AdamStep<Real> step{
        .factor = real(clip_factor(before, p.max_grad)),
        .beta1 = real(p.beta1),
        .fresh1 = real(1 - p.beta1),
        .beta2 = real(p.beta2),
        .fresh2 = real(1 - p.beta2),
        .rate = real(p.learning_rate / (1 - std::pow(p.beta1, static_cast<double>(p.step)))),
        .correction = real(1 / (1 - std::pow(p.beta2, static_cast<double>(p.step)))),
        .eps = real(p.eps),
    };
    stretches(p.size, 20.0, [&](long start, long end) {
        adam_range(step, p.values + start, p.gradients + start, p.m + start, p.v + start, end - start);
    });
    return before;
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
