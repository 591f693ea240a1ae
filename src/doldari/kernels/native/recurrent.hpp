// What the recurrent layers share: the whole batch over all steps, forward and backward.
//
// The batch is a tree (tree.hpp), computed level by level; each thread takes its own rows of the batch through all
// levels, so no thread waits for another at a step, and padding costs nothing.  Within a level everything lies in panels:
// PANEL units of every node, then the next PANEL units.  That is the order in which the cell writes, and what a product
// reads as either of its factors, so nothing is packed but the weights.
//
// A layer gives its Cell: how many gates are products with h (GATES) and how many vectors a state has (STATES), and
// the cell itself, forward and backward.  Always four vectors are kept of the gates.
// The cell forward is not inlined: in one compiled copy its sums of two products are rounded alike for every caller.

#pragma once

#include "panels.hpp"
#include "tree.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

/// One step of a single row: row `parent` of `before` times Wh, then run(0, sums, panel) for every panel.
template <long GATES, class Real, class Run>
void single_step_forward(const Panels<Real>& before, long parent, const Weights<Real>& weights, const Run& run) {
    const long H = weights.K;
    const Buffer<Real> products(GATES * H);
    std::memset(products + 0, 0, GATES * H * sizeof(Real));
    if (before.data != nullptr) weights.add_single(before.at(0, parent), before.runs(), products + 0);
    alignas(64) Real sums[GATES * PANEL<Real>];
    for_panels<Real>(H, [&](long panel, long unit, long width) {
        for (long gate = 0; gate < GATES; ++gate)
            copy_panel(sums + gate * PANEL<Real>, products + gate * H + unit, width);
        run(0, sums, panel);
    });
}

/// One step: of each of `groups` rows of `before` the products with Wh, then run(child, sums, panel) for its children.
///
/// before.data is null where every state is zero.  Children stand in the order of their groups, group_of(child).
template <long GATES, class Real, class GroupOf, class Run>
void step_forward(const Panels<Real>& before, const int32_t* parents, long groups, long children,
                  const Weights<Real>& weights, const GroupOf& group_of, const Run& run) {
    if (weights.single) return single_step_forward<GATES>(before, parents[0], weights, run);
    const Real* packed = weights.packed + 0;
    const long H = weights.K;
    constexpr long P = PANEL<Real>;
    alignas(64) Real sums[ROW_BLOCK][GATES * P];
    const Real* rows[ROW_BLOCK];
    Real* starts[ROW_BLOCK];
    for (long r = 0; r < ROW_BLOCK; ++r) starts[r] = sums[r];
    if (before.data == nullptr) std::memset(sums, 0, sizeof sums);
    for (long panel = 0; panel < panels_of<Real>(H); ++panel, packed += GATES * H * P) {
        long child = 0;
        for (long start = 0; start < groups; start += ROW_BLOCK) {
            const long count = least(groups - start, ROW_BLOCK);
            if (before.data != nullptr) {
                for (long r = 0; r < count; ++r) rows[r] = before.at(0, parents[start + r]);
                for (long gate = 0; gate < GATES; ++gate)
                    panel_product(rows, count, before.runs(), packed + gate * H * P, H, false, starts, gate * P);
            }
            for (; child < children && group_of(child) < start + count; ++child)
                run(child, sums[group_of(child) - start], panel);
        }
    }
}

/// What is kept of a level: gates in four times as many panels as a state.
template <class Real>
struct Level {
    Panels<Real> gates, h, c;  // c.data is null where states have no cell
};

/// What forward and backward know of a layer's run: sizes, tree, and where the levels lie in the cache.
template <class Cell, class Real>
struct Layout {
    static constexpr long P = PANEL<Real>, GATES = Cell::GATES;
    const Tree& tree;
    long H, panels, width;
    Real* cache;
    Panels<Real> first_h, first_c;  // of all rows; data is null where first states are zeros

    template <class Arguments>
    Layout(const Tree& tree, const Arguments& p, const Buffer<Real>& first)
        : tree(tree), H(p.H), panels(panels_of<Real>(H)), width(panels * P), cache(p.cache),
          first_h{has_first(p) ? first + 0 : nullptr, p.N},
          first_c{has_first(p) && Cell::STATES == 2 ? first + p.N * width : nullptr, p.N} {}

    template <class Arguments>
    static bool has_first(const Arguments& p) {
        if constexpr (Cell::STATES == 2) return p.h0.data != nullptr || p.c0.data != nullptr;
        else return p.h0.data != nullptr;
    }

    /// Rows that begin alike may share nodes: without first states or contexts of their own, and if inputs come again.
    template <class Arguments>
    static bool shares(const Arguments& p, const Real* context) {
        return !has_first(p) && context == nullptr && p.R < p.N * p.T;
    }

    template <class Arguments>
    static Buffer<Real> first_buffer(const Arguments& p) {
        return Buffer<Real>(has_first(p) ? Cell::STATES * p.N * panels_of<Real>(p.H) * P : 0);
    }

    /// Bring the first states of a part's rows into panels.
    template <class Arguments>
    void pack_first(const Arguments& p, long part) const {
        if (first_h.data == nullptr) return;
        into_panels(p.h0, H, tree.first_place(part), tree.first_place(part + 1), first_h);
        if constexpr (Cell::STATES == 2)
            into_panels(p.c0, H, tree.first_place(part), tree.first_place(part + 1), first_c);
    }

    /// A level, or at -1 the first states.
    Level<Real> level(long d) const {
        if (d < 0) return {{nullptr, 0}, first_h, first_c};
        const long nodes = tree.nodes(d), size = nodes * width;
        Real* base = cache + tree.nodes_before(d) * (4 + Cell::STATES) * width;
        return {{base, nodes}, {base + 4 * size, nodes}, {Cell::STATES == 2 ? base + 5 * size : nullptr, nodes}};
    }
};

/// Where one node finds what it reads, and leaves its results, in one panel.
template <class Real>
struct Place {
    const Real *input, *context;      // of one gate; the next lies H further; context may be null
    const Real *h_before, *c_before;  // null where they are zeros
    Real* gates;                      // of one gate; the next lies gate_step further; null if nobody wants them
    long gate_step;
    Real *h, *c;
};

/// Run over time; at padding the state passes.
template <class Cell, template <class> class Forward, class Real>
void forward(const Forward<Real>& p) {
    const long N = p.N, T = p.T, H = p.H, W = Cell::GATES * H;
    const Tree tree(p.rows, p.mask, N, T, Layout<Cell, Real>::shares(p, p.context),
                    part_count(N, 2.0 * Cell::GATES * N * T * H * H));
    const Buffer<Real> first = Layout<Cell, Real>::first_buffer(p);
    const Layout<Cell, Real> layout(tree, p, first);
    const Weights<Real> weights(p.Wh, H, H, Cell::GATES, N);
    parallel(tree.parts, [&](long part) {
        layout.pack_first(p, part);
        for (long d = 0; d < tree.depth; ++d) {
            const Level<Real> here = layout.level(d), before = layout.level(d - 1);
            const long node = tree.first_node(part, d), nodes = tree.first_node(part + 1, d) - node;
            const long group = tree.first_group(part, d), groups = tree.first_group(part + 1, d) - group;
            step_forward<Cell::GATES>(
                before.h, tree.parents(d) + group, groups, nodes, weights,
                [&](long child) { return tree.node(d, node + child).group - group; },
                [&](long child, const Real* sums, long panel) {
                    const auto [input, row, parent, in_group] = tree.node(d, node + child);
                    const long unit = panel * PANEL<Real>;
                    const Place<Real> place{
                        p.table + input * W + unit,
                        p.context == nullptr ? nullptr : p.context + row * W + unit,
                        before.h.data == nullptr ? nullptr : before.h.at(panel, parent),
                        before.c.data == nullptr ? nullptr : before.c.at(panel, parent),
                        here.gates.at(panel, node + child),
                        here.gates.rows * layout.width,
                        here.h.at(panel, node + child),
                        here.c.data == nullptr ? nullptr : here.c.at(panel, node + child)};
                    if (unit + PANEL<Real> <= H) Cell::template forward<true>(sums, place, H, H - unit);
                    else Cell::template forward<false>(sums, place, H, H - unit);
                });
        }
        for (long at = tree.first_place(part); at < tree.first_place(part + 1); ++at) write_states(p, layout, at);
    });
}

/// Write what a row's states are at every position, and the last cell.
template <class Cell, class Real, class Forward>
void write_states(const Forward& p, const Layout<Cell, Real>& layout, long place) {
    const long n = layout.tree.row_at(place), T = p.T, H = p.H, length = layout.tree.length(n);
    const auto write = [&](const Panels<Real>& from, long row, Real* to) {
        if (from.data == nullptr) std::memset(to, 0, H * sizeof(Real));
        else out_of_panels(from, row, H, to);
    };
    long d = -1, node = n;
    for (long t = 0; t < T; ++t) {
        if (d + 1 < length && layout.tree.position(n, d + 1) == t) node = layout.tree.node_of(n, ++d);
        write(layout.level(d).h, node, p.hs + (n * T + t) * H);
    }
    if constexpr (Cell::STATES == 2) write(layout.level(d).c, node, p.c + n * H);
}

}  // namespace
}  // namespace doldari::DOLDARI_ISA
