// Recurrent layers backward: rows back to their first states, level by level, then the sums over all positions.

#pragma once

#include "recurrent.hpp"

namespace doldari::DOLDARI_ISA {
namespace {

/// Where one node finds what it reads backward, in one panel, and leaves its results.
template <class Real>
struct PlaceBack {
    Real* gates;  // of one gate; the next lies gate_step further.  Their gradient takes their place
    long gate_step;
    Real* sums;  // that gradient's sum over the children of one parent, the next gate's sum_step further; or null
    long sum_step;
    bool first;  // of these children
    const Real *h, *h_before, *c_before;
    const Real *dh, *dc;
    Real* d_before;  // gets what does not go to the state before by way of the products

    Vector<Real> gate(long number, long j) const { return load(gates + number * gate_step + j); }

    /// Leave the gradient of a gate that is a product with h.
    void put(long number, long j, Vector<Real> gradient) const {
        store(gates + number * gate_step + j, gradient);
        if (sums == nullptr) return;
        Real* sum = sums + number * sum_step + j;
        store(sum, first ? gradient : load(sum) + gradient);
    }
};

/// What the products backward read of a level: the gates' gradient, summed over the children of one parent, and the
/// parents' h, a row for each group.
template <class Real>
struct Factors {
    Panels<Real> dgates, h;
};

/// Runs backward, in two passes: rows back to their first states, then the sums over all positions.
template <class Cell, template <class> class Backward, class Real>
class BackwardPass {
public:
    explicit BackwardPass(const Backward<Real>& p)
        : p_(p), flops_(2.0 * Cell::GATES * p.N * p.T * p.H * p.H),
          tree_(p.rows, p.mask, p.N, p.T, Layout<Cell, Real>::shares(p, p.dcontext), part_count(p.N, flops_)),
          first_(Layout<Cell, Real>::first_buffer(p)), layout_(tree_, p, first_), factors_(tree_.depth),
          own_(place_factors(nullptr)), packed_(layout_.width * layout_.width * GATES) {}

    void run() {
        place_factors(own_ + 0);
        pack_transpose(p_.Wh, H, GATES, packed_);
        parallel(tree_.parts, [&](long part) { rows_backward(part); });
        const long panels = GATES * layout_.panels;
        parallel_ranges(panels, part_count(panels, flops_), [&](long first, long last) {
            for (long panel = first; panel < last; panel += SET) add_to_dWh(panel, least(last, panel + SET));
            for (long panel = first; panel < last; ++panel) add_to_inputs(panel);
        });
    }

private:
    static constexpr long P = PANEL<Real>, GATES = Cell::GATES;
    static constexpr long SET = 4;      // panels of dWh's columns that are taken together
    static constexpr long SLICE = 128;  // nodes of a level: 8 KiB of a panel of h, which a set's panels meet in turn

    /// Say where each level's factors lie, in memory of their own unless they are those of the level itself; return
    /// how many numbers of such memory it takes.
    long place_factors(Real* own) {
        long size = 0;
        const auto take = [&](long rows, long panels) {
            const Panels<Real> taken{own == nullptr ? nullptr : own + size, rows};
            size += rows * panels * P;
            return taken;
        };
        for (long d = 0; d < tree_.depth; ++d) {
            const Panels<Real> gates = layout_.level(d).gates, h = layout_.level(d - 1).h;
            const long groups = tree_.groups(d);
            factors_[d] = {groups == gates.rows || h.data == nullptr ? gates : take(groups, GATES * layout_.panels),
                           groups == h.rows || h.data == nullptr ? h : take(groups, layout_.panels)};
        }
        return size;
    }

    /// Take a part's rows back to their first states.
    void rows_backward(long part) {
        const long rows = tree_.first_place(part + 1) - tree_.first_place(part), size = rows * layout_.width;
        const Buffer<Real> memory(2 * Cell::STATES * size);
        const auto gradients = [&](long d) {  // dh and dc of a level
            Real* base = memory + (d & 1) * Cell::STATES * size;
            return Level<Real>{{nullptr, 0}, {base, rows}, {Cell::STATES == 2 ? base + size : nullptr, rows}};
        };
        const auto zero = [&](long d) { std::memset(gradients(d).h.data, 0, Cell::STATES * size * sizeof(Real)); };
        layout_.pack_first(p_, part);
        zero(tree_.depth - 1);
        for (long d = tree_.depth - 1; d >= 0; --d) {
            const Level<Real> from = gradients(d), to = gradients(d - 1);
            add_given(part, d, from);
            zero(d - 1);
            cells_backward(part, d, from, to);
            if (layout_.level(d - 1).h.data == nullptr) continue;
            products_backward(part, d, to.h);
        }
        if (layout_.first_h.data == nullptr) return;
        const Level<Real> first = gradients(-1);
        for (long n = tree_.first_place(part), at = 0; at < rows; ++n, ++at) {
            const bool symbols = tree_.length(n) > 0;
            if (symbols) out_of_panels(first.h, at, H, p_.dh + n * H);
            for (long t = 0; p_.dhs != nullptr && t < (symbols ? tree_.position(n, 0) : p_.T); ++t)
                add_to(p_.dh + n * H, p_.dhs + (n * p_.T + t) * H, H);  // where the first state is passed on
            if constexpr (Cell::STATES == 2)
                if (symbols) out_of_panels(first.c, at, H, p_.dc + n * H);
        }
    }

    /// The first of a level's nodes that are a part's, or at -1 of its rows.
    long first_of(long part, long d) const { return d < 0 ? tree_.first_place(part) : tree_.first_node(part, d); }

    /// Add to the gradients of a level's states what comes from above, and from behind the last.
    void add_given(long part, long d, const Level<Real>& gradients) const {
        const long T = p_.T;
        for (long at = tree_.first_place(part); at < tree_.first_place(part + 1); ++at) {
            const long n = tree_.row_at(at), length = tree_.length(n);
            if (length <= d) continue;
            const long node = tree_.node_of(n, d) - first_of(part, d);
            const long end = d + 1 < length ? tree_.position(n, d + 1) : T;
            for (long t = tree_.position(n, d); t < end && p_.dhs != nullptr; ++t)
                add_to_panels(gradients.h, node, p_.dhs + (n * T + t) * H, H);
            if (d + 1 < length) continue;
            add_to_panels(gradients.h, node, p_.dh + n * H, H);
            if constexpr (Cell::STATES == 2) add_to_panels(gradients.c, node, p_.dc + n * H, H);
        }
    }

    /// The cell of a level's nodes: the gates' gradient takes the place of the gates.  Fills in the factors too.
    void cells_backward(long part, long d, const Level<Real>& from, const Level<Real>& to) const {
        const Level<Real> here = layout_.level(d), before = layout_.level(d - 1);
        const auto [sums, h] = factors_[d];
        const long first = tree_.first_node(part, d), last = tree_.first_node(part + 1, d);
        const bool into_first = d == 0 && before.h.data == nullptr;  // where all begin alike nobody asks for `to`
        for (long panel = 0; panel < layout_.panels; ++panel) {
            long group_before = -1;
            for (long node = first; node < last; ++node) {
                const auto [input, row, parent, group] = tree_.node(d, node);
                const long to_row = into_first ? 0 : parent - first_of(part, d - 1);
                const bool first_child = group != group_before;
                Cell::backward(PlaceBack<Real>{
                    here.gates.at(panel, node), here.gates.rows * layout_.width,
                    sums.data == here.gates.data ? nullptr : sums.at(panel, group), sums.rows * layout_.width,
                    first_child, here.h.at(panel, node),
                    before.h.data == nullptr ? nullptr : before.h.at(panel, parent),
                    before.c.data == nullptr ? nullptr : before.c.at(panel, parent), from.h.at(panel, node - first),
                    Cell::STATES == 2 ? from.c.at(panel, node - first) : nullptr,
                    Cell::STATES == 2 ? to.c.at(panel, to_row) : to.h.at(panel, to_row)});
                if (first_child && h.data != before.h.data)
                    copy_panel(h.at(panel, group), before.h.at(panel, parent), P);
                group_before = group;
            }
        }
    }

    /// The products of the gates' gradient with Wh transposed, added to the parents' dh.
    void products_backward(long part, long d, const Panels<Real>& to) const {
        const Panels<Real>& dgates = factors_[d].dgates;
        const long first = tree_.first_group(part, d), rows = tree_.first_group(part + 1, d) - first;
        const long K = GATES * layout_.width;
        const Buffer<const Real*> from(rows);
        const Buffer<Real*> outs(rows);
        for (long r = 0; r < rows; ++r) outs[r] = to.at(0, tree_.parents(d)[first + r] - first_of(part, d - 1));
        // A block of the gates at a time, so that all rows' stay in the second-level cache while the weights go by.
        for (long k = 0; k < K; k += K_BLOCK) {
            const long depth = least(K - k, K_BLOCK);
            for (long r = 0; r < rows; ++r) from[r] = dgates.at(0, first + r) + dgates.runs().offset(k);
            for (long panel = 0; panel < layout_.panels; ++panel)
                panel_product(from + 0, rows, dgates.runs(), packed_ + (panel * K + k) * P, depth, true, outs + 0,
                              panel * to.rows * P);
        }
    }

    /// Add h^T dgates to the panels first .. last - 1 of dWh's columns.
    void add_to_dWh(long first, long last) const {
        constexpr long TILES = ceil_divide(P, TILE);
        for (long d = 0; d < tree_.depth; ++d) {
            const auto [dgates, h] = factors_[d];
            if (h.data == nullptr) continue;
            for (long from = 0; from < tree_.groups(d); from += SLICE) {
                const long depth = least(tree_.groups(d) - from, SLICE);
                for (long unit = 0; unit < H; unit += P) {
                    for (long i = 0; i < TILES; ++i) {
                        const long row = unit + P * i / TILES, height = least(H, unit + P * (i + 1) / TILES) - row;
                        if (height <= 0) break;
                        const Real* a[TILE];
                        Real* out[TILE];
                        for (long r = 0; r < height; ++r) {
                            a[r] = h.at(unit / P, from) + row - unit + r;
                            out[r] = p_.dWh + (row + r) * GATES * H;
                        }
                        for (long panel = first; panel < last; ++panel)
                            panel_product<P>(a, height, DENSE, dgates.at(panel, from), depth, true, out,
                                             column(panel), H - panel % layout_.panels * P);
                    }
                }
            }
        }
    }

    /// Where the columns of a panel of gates begin in weights.
    long column(long panel) const { return panel / layout_.panels * H + panel % layout_.panels * P; }

    /// Add the gradient of one panel of gates to its columns of dtable and dcontext.
    void add_to_inputs(long panel) const {
        const long at = column(panel), count = least(P, H - panel % layout_.panels * P), columns = GATES * H;
        const long stored = Cell::input_gate(panel / layout_.panels) * layout_.panels + panel % layout_.panels;
        for (long d = 0; d < tree_.depth; ++d) {
            const Panels<Real> dgates = layout_.level(d).gates;
            for (long index = 0; index < dgates.rows; ++index) {
                const Tree::Node& node = tree_.node(d, index);
                const Real* from = dgates.at(stored, index);
                add(p_.dtable + node.input * columns + at, from, count);
                if (p_.dcontext != nullptr) add(p_.dcontext + node.row * columns + at, from, count);
            }
        }
    }

    static void add(Real* to, const Real* from, long count) {
        if (count == P) add_to(to, from, P);
        else add_to(to, from, count);
    }

    const Backward<Real>& p_;
    const double flops_;
    const Tree tree_;
    const Buffer<Real> first_;
    const Layout<Cell, Real> layout_;
    const Buffer<Factors<Real>> factors_;
    const Buffer<Real> own_, packed_;
    const long H = p_.H;
};

}  // namespace
}  // namespace doldari::DOLDARI_ISA
