// The gradient of looking up rows of a table.

#pragma once

#include "kernels.hpp"
#include "tile.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

template <class Real>
void scatter_rows(const ScatterRows<Real>& p) {
    const long panels = ceil_divide(p.K, PANEL<Real>);
    // Columns are shared out, not positions: a sum's order does not depend on the number of threads.
    parallel_ranges(panels, part_count(panels, 8.0 * p.positions * p.K), [&](long first, long last) {
        const long start = first * PANEL<Real>, width = least(p.K, last * PANEL<Real>) - start;
        for (long at = 0; at < p.positions; ++at)
            add_to(p.dtable + p.rows[at] * p.K + start, p.dxs + at * p.K + start, width);
    });
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
