#include "tree.hpp"

#include <algorithm>
#include <numeric>

namespace doldari {

Tree::Tree(const int32_t* inputs, const bool* mask, long N, long T, bool share, long parts)
    : parts(parts), N_(N), T_(T),
      // Only rows of one block share, so that a thread's rows, whole blocks, never need another's.
      block_(share ? std::clamp(N / 8, 1L, 16L) : 1),
      nodes_(N * T), parents_(N * T), first_nodes_((parts + 1) * T), first_groups_((parts + 1) * T), order_(N),
      lengths_(N), positions_(N * T), row_nodes_(N * T), nodes_before_(T + 1),
      nodes_data_(nodes_.data()), parents_data_(parents_.data()), first_nodes_data_(first_nodes_.data()),
      first_groups_data_(first_groups_.data()), order_data_(order_.data()), lengths_data_(lengths_.data()),
      positions_data_(positions_.data()), row_nodes_data_(row_nodes_.data()), nodes_before_data_(nodes_before_.data()) {
    find_symbols(mask);
    std::iota(order_.begin(), order_.end(), 0);
    if (share) sort_rows(inputs);
    grow(inputs, share);
}

Tree::~Tree() = default;

long Tree::first_place(long part) const {
    const long blocks = (N_ + block_ - 1) / block_;
    return std::min(N_, blocks * part / parts * block_);
}

void Tree::find_symbols(const bool* mask) {
    for (long n = 0; n < N_; ++n) {
        int32_t length = 0;
        for (long t = 0; t < T_; ++t)
            if (mask == nullptr || mask[n * T_ + t]) positions_[n * T_ + length++] = static_cast<int32_t>(t);
        lengths_[n] = length;
        depth = std::max<long>(depth, length);
    }
}

/// Bring rows that begin alike next to each other.
void Tree::sort_rows(const int32_t* inputs) {
    std::sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) {
        const long shorter = std::min(lengths_[a], lengths_[b]);
        for (long d = 0; d < shorter; ++d) {
            const int32_t x = inputs[a * T_ + positions_[a * T_ + d]], y = inputs[b * T_ + positions_[b * T_ + d]];
            if (x != y) return x < y;
        }
        return lengths_[a] != lengths_[b] ? lengths_[a] < lengths_[b] : a < b;
    });
}

void Tree::grow(const int32_t* inputs, bool share) {
    std::vector<int32_t> nodes(T_), groups(T_);  // how many there are so far
    for (long part = 0; part <= parts; ++part) {
        std::copy(nodes.begin(), nodes.end(), first_nodes_.begin() + part * T_);
        std::copy(groups.begin(), groups.end(), first_groups_.begin() + part * T_);
        if (part == parts) break;
        for (long place = first_place(part); place < first_place(part + 1); ++place) {
            const long n = order_[place];
            int32_t* mine = row_nodes_.data() + n * T_;
            long d = 0;
            if (share && place % block_ != 0) {  // as far as the row before goes along
                const long before = order_[place - 1];
                for (; d < lengths_[n] && d < lengths_[before]; ++d) {
                    const Node& node = nodes_[d * N_ + row_nodes_[before * T_ + d]];
                    if (node.input != inputs[n * T_ + positions_[n * T_ + d]]) break;
                    mine[d] = row_nodes_[before * T_ + d];
                }
            }
            for (; d < lengths_[n]; ++d) {
                const int32_t parent = d > 0 ? mine[d - 1] : static_cast<int32_t>(n);
                int32_t* parents = &parents_[d * N_];
                if (groups[d] == 0 || parents[groups[d] - 1] != parent) parents[groups[d]++] = parent;
                nodes_[d * N_ + nodes[d]] = {inputs[n * T_ + positions_[n * T_ + d]], static_cast<int32_t>(n), parent,
                                             groups[d] - 1};
                mine[d] = nodes[d]++;
            }
        }
    }
    for (long d = 0; d < T_; ++d) nodes_before_[d + 1] = nodes_before_[d] + nodes[d];
}

}  // namespace doldari
