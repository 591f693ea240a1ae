// Small vector operations on GCC's and Clang's vector extensions: one source for SSE2, AVX2, AVX-512 and NEON.
//
// The headers from here to kernels.cpp are compiled once for each instruction set, each time into a namespace of
// its own, DOLDARI_ISA.  They use no function templates of the standard library: the linker keeps one copy of those
// for all instruction sets, and it could be one that this processor cannot run.

#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace doldari::DOLDARI_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64, REGISTERS = 32;
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32, REGISTERS = 16;
#elif defined(__aarch64__)
constexpr int VECTOR_BYTES = 16, REGISTERS = 32;
#else
constexpr int VECTOR_BYTES = 16, REGISTERS = 16;
#endif

template <class Real>
struct VectorOf {
    typedef Real type __attribute__((vector_size(VECTOR_BYTES)));
};
template <class Real>
using Vector = typename VectorOf<Real>::type;
template <class Real>
constexpr long LANES = VECTOR_BYTES / sizeof(Real);

template <class Real>
inline Vector<Real> load(const Real* from) {
    Vector<Real> x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
}

template <class Real>
inline void store(Real* to, Vector<Real> x) {
    __builtin_memcpy(to, &x, sizeof x);
}

/// Load the first `count` lanes, up to all, and leave `rest` in the others.
template <class Real>
inline Vector<Real> load(const Real* from, long count, Real rest = 0) {
    if (count >= LANES<Real>) return load(from);
    Vector<Real> x = rest - Vector<Real>{};
    if (count > 0) __builtin_memcpy(&x, from, count * sizeof(Real));
    return x;
}

template <class Real>
inline void store(Real* to, Vector<Real> x, long count) {
    if (count >= LANES<Real>) return store(to, x);
    if (count > 0) __builtin_memcpy(to, &x, count * sizeof(Real));
}

template <class Real>
inline Vector<Real> splat(Real x) {
    return x - Vector<Real>{};  // x - 0 is x, which the compiler knows; 0 + x need not be (-0)
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define DOLDARI_TRANSPOSES
#endif
#endif

#ifdef DOLDARI_TRANSPOSES
/// Exchange, in a square of as many vectors as lanes, the upper right quarter of every block of 2 STEP with the lower
/// left one (Eklundh 1972).
template <class Real, int STEP, int... LANE>
inline void exchange_quarters(Vector<Real>* square, std::integer_sequence<int, LANE...>) {
    constexpr int L = sizeof...(LANE);
    for (int i = 0; i < L; ++i) {
        if (i & STEP) continue;
        const Vector<Real> upper = square[i], lower = square[i + STEP];
        square[i] = __builtin_shufflevector(upper, lower, (LANE & STEP ? L + LANE - STEP : LANE)...);
        square[i + STEP] = __builtin_shufflevector(upper, lower, (LANE & STEP ? L + LANE : LANE + STEP)...);
    }
}

/// Transpose a square of as many vectors as lanes.
template <class Real, int STEP = int(LANES<Real>) / 2>
inline void transpose(Vector<Real>* square) {
    exchange_quarters<Real, STEP>(square, std::make_integer_sequence<int, int(LANES<Real>)>{});
    if constexpr (STEP > 1) transpose<Real, STEP / 2>(square);
}
#endif

/// Combine all lanes into one, in pairs.
template <class Real, class Combine>
inline Real reduce(Vector<Real> x, Combine combine) {
    Real lanes[LANES<Real>];
    store(lanes, x);
    for (long half = LANES<Real> / 2; half > 0; half /= 2)
        for (long lane = 0; lane < half; ++lane) lanes[lane] = combine(lanes[lane], lanes[lane + half]);
    return lanes[0];
}

template <class Real>
inline Real sum(Vector<Real> x) {
    return reduce<Real>(x, [](Real a, Real b) { return a + b; });
}

// One instruction each: for `a < b ? a : b` on vectors GCC 12 makes a comparison and a blend, with which a forward
// takes up to 15 % longer.  If either is not a number the result is b, so a clamp that passes NaN on has the bound as
// `a`.
template <class V>
inline V minimum(V a, V b) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<V, Vector<float>>) return (V)_mm512_maskz_min_ps(-1, (__m512)a, (__m512)b);
#elif defined(__AVX__)
    if constexpr (std::is_same_v<V, Vector<float>>) return (V)_mm256_min_ps((__m256)a, (__m256)b);
#endif
    return a < b ? a : b;
}

template <class V>
inline V maximum(V a, V b) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<V, Vector<float>>) return (V)_mm512_maskz_max_ps(-1, (__m512)a, (__m512)b);
#elif defined(__AVX__)
    if constexpr (std::is_same_v<V, Vector<float>>) return (V)_mm256_max_ps((__m256)a, (__m256)b);
#endif
    return a > b ? a : b;
}

/// tanh of K vectors in float32: a rational function of degree 13 over 6 (coefficients from Eigen), |error| < 2.8e-7,
/// or 3.2e-7 where there is no fused multiply-add.
///
/// K independent vectors in step, since one alone waits for the result of every operation: 4 at a time take a third
/// of the time of 4 one after the other.
template <int K>
inline void tanh(Vector<float> (&x)[K]) {
    constexpr float P[] = {-2.76076847742355e-16f, 2.00018790482477e-13f, -8.60467152213735e-11f, 5.12229709037114e-08f,
                           1.48572235717979e-05f,  6.37261928875436e-04f, 4.89352455891786e-03f};
    constexpr float Q[] = {1.19825839466702e-06f, 1.18534705686654e-04f, 2.26843463243900e-03f, 4.89352518554385e-03f};
    Vector<float> x2[K], p[K], q[K];
    for (int k = 0; k < K; ++k) {
        x[k] = maximum(splat(-7.90531110763549805f), minimum(splat(7.90531110763549805f), x[k]));
        x2[k] = x[k] * x[k];
        p[k] = splat(P[0]);
        q[k] = splat(Q[0]);
    }
#pragma GCC unroll 8
    for (int term = 1; term < 5; ++term) {
        for (int k = 0; k < K; ++k) p[k] = p[k] * x2[k] + P[term];
        if (term < 2)
            for (int k = 0; k < K; ++k) q[k] = q[k] * x2[k] + Q[term];
    }
    // The last two terms at once: the sum is rounded once less.
    for (int k = 0; k < K; ++k) {
        p[k] = p[k] * (x2[k] * x2[k]) + (x2[k] * P[5] + P[6]);
        q[k] = q[k] * (x2[k] * x2[k]) + (x2[k] * Q[2] + Q[3]);
    }
    for (int k = 0; k < K; ++k) x[k] = x[k] * p[k] / q[k];
}

/// exp in float32, relative error < 2e-7, and 1.2e-38 below -87: 2^n, put together from its bits, times e^r with
/// |r| <= ln(2) / 2, of which the Taylor polynomial is taken.
inline Vector<float> exp(Vector<float> x) {
    typedef int32_t Bits __attribute__((vector_size(VECTOR_BYTES)));
    constexpr float ROUND = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
    x = maximum(splat(-87.0f), minimum(splat(88.0f), x));
    const Vector<float> shifted = x * 1.44269504f + ROUND;
    const Vector<float> n = shifted - ROUND;
    const Vector<float> r = (x - n * 0.693359375f) - n * -2.12194440e-4f;  // ln(2) in two parts
    Vector<float> p = r * (1 / 5040.0f) + 1 / 720.0f;
    p = p * r + 1 / 120.0f;
    p = p * r + 1 / 24.0f;
    p = p * r + 1 / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return (Vector<float>)((Bits)p + ((Bits)shifted << 23));
}

// float64 is for checking gradients: exact before fast.
inline Vector<double> exp(Vector<double> x) {
    for (long lane = 0; lane < LANES<double>; ++lane) x[lane] = std::exp(x[lane]);
    return x;
}

template <int K>
inline void tanh(Vector<double> (&x)[K]) {
    for (int k = 0; k < K; ++k) {
        Vector<double> y{};
        for (long lane = 0; lane < LANES<double>; ++lane) y[lane] = std::tanh(x[k][lane]);
        x[k] = y;
    }
}

/// The activations of the four gates f, g, i, o: sigmoid(x) = (1 + tanh(x / 2)) / 2, and tanh of g.
template <class Real>
inline void activate_gates(Vector<Real> (&a)[4]) {
    for (int gate : {0, 2, 3}) a[gate] *= Real(0.5);
    tanh(a);
    for (int gate : {0, 2, 3}) a[gate] = a[gate] * Real(0.5) + Real(0.5);
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
