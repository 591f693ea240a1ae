// Layer normalisation.

#pragma once

#include <cmath>

#include "kernels.hpp"
#include "parallel.hpp"
#include "vector.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

template <class Real>
void layer_norm(const LayerNorm<Real>& p) {
    constexpr long L = LANES<Real>;
    const long D = p.D;
    parallel_ranges(p.P, part_count(p.P, 20.0 * p.P * D), [&](long first, long last) {
        for (long at = first; at < last; ++at) {
            const Real* x = p.xs + at * D;
            Vector<Real> sums{}, squares{};
            for (long j = 0; j < D; j += L) sums += load(x + j, D - j);
            const Real mean = sum<Real>(sums) / D;
            for (long j = 0; j < D; j += L) {
                const Vector<Real> centred = load(x + j, D - j, mean) - mean;
                squares += centred * centred;
            }
            const Real scale = 1 / std::sqrt(sum<Real>(squares) / D + Real(1e-5));
            p.scales[at] = scale;
            for (long j = 0; j < D; j += L) {
                const Vector<Real> normalized = (load(x + j, D - j) - mean) * scale;
                store(p.normalized + at * D + j, normalized, D - j);
                store(p.ys + at * D + j, normalized * load(p.g + j, D - j) + load(p.b + j, D - j), D - j);
            }
        }
    });
}

template <class Real>
void layer_norm_backward(const LayerNormBackward<Real>& p) {
    constexpr long L = LANES<Real>;
    const long D = p.D;
    parallel_ranges(p.P, part_count(p.P, 20.0 * p.P * D), [&](long first, long last) {
        for (long at = first; at < last; ++at) {
            const Real *dy = p.dys + at * D, *normalized = p.normalized + at * D;
            Vector<Real> sums{}, products{};
            for (long j = 0; j < D; j += L) {
                const Vector<Real> dn = load(dy + j, D - j) * load(p.g + j, D - j);
                sums += dn;
                products += dn * load(normalized + j, D - j);
            }
            const Real mean = sum<Real>(sums) / D, along = sum<Real>(products) / D;
            for (long j = 0; j < D; j += L) {
                const Vector<Real> dn = load(dy + j, D - j) * load(p.g + j, D - j);
                const Vector<Real> dx = (dn - mean - load(normalized + j, D - j) * along) * p.scales[at];
                store(p.dxs + at * D + j, dx, D - j);
            }
        }
    });
    // Columns are shared out, not vectors: a sum's order does not depend on the number of threads.
    constexpr long STRIP = 4 * L;
    const long strips = ceil_divide(D, STRIP);
    parallel_ranges(strips, part_count(strips, 8.0 * p.P * D), [&](long first, long last) {
        for (long j = first * STRIP; j < last * STRIP; j += L) {
            if (j >= D) break;
            Vector<Real> dg{}, db{};
            for (long at = 0; at < p.P; ++at) {
                const Vector<Real> dy = load(p.dys + at * D + j, D - j);
                dg += dy * load(p.normalized + at * D + j, D - j);
                db += dy;
            }
            store(p.dg + j, load(p.dg + j, D - j) + dg, D - j);
            store(p.db + j, load(p.db + j, D - j) + db, D - j);
        }
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
