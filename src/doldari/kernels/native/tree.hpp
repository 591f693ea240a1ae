// The batch as a tree of prefixes: rows that have read the same so far are computed once.
//
// A node of level d stands for the first d + 1 symbols of one or more rows, padding left out: from the same first state
// the same symbols lead to the same state.  With the chapter's questions a third of all positions need no products.
// Rows that begin in states of their own (a decoder's) share nothing, and the tree is N chains.

#pragma once

#include <cstdint>
#include <vector>

namespace doldari {

class Tree {
public:
    struct Node {
        int32_t input;   // the row of the table that is read here
        int32_t row;     // the batch's row, or the first of those, that comes by here
        int32_t parent;  // the node in the level above; at level 0 the row, whose first state it is
        int32_t group;   // which of the level's groups of nodes with one parent
    };

    /// Build it from inputs (N, T) and mask (N, T), null if there is no padding.  Rows are taken in `parts` stretches,
    /// for as many threads, of which each has its own nodes; which rows share does not depend on `parts`.
    Tree(const int32_t* inputs, const bool* mask, long N, long T, bool share, long parts);
    Tree(const Tree&) = delete;
    ~Tree();

    const long parts;
    long depth = 0;  // how many levels there are

    long nodes(long level) const { return first_node(parts, level); }
    long groups(long level) const { return first_group(parts, level); }
    /// How many nodes the levels before this one have.
    long nodes_before(long level) const { return nodes_before_data_[level]; }
    const Node& node(long level, long index) const { return nodes_data_[level * N_ + index]; }
    const int32_t* parents(long level) const { return parents_data_ + level * N_; }  // of each group

    /// Where a part's stretch of the rows in order, of a level's nodes and of its groups begins.
    long first_place(long part) const;
    long first_node(long part, long level) const { return first_nodes_data_[part * T_ + level]; }
    long first_group(long part, long level) const { return first_groups_data_[part * T_ + level]; }

    /// The row at a place in their order, how many symbols it has, where each stands, and its nodes.
    long row_at(long place) const { return order_data_[place]; }
    long length(long row) const { return lengths_data_[row]; }
    long position(long row, long level) const { return positions_data_[row * T_ + level]; }
    long node_of(long row, long level) const { return row_nodes_data_[row * T_ + level]; }

private:
    void find_symbols(const bool* mask);
    void sort_rows(const int32_t* inputs);
    void grow(const int32_t* inputs, bool share);

    long N_, T_, block_;
    std::vector<Node> nodes_;
    std::vector<int32_t> parents_, first_nodes_, first_groups_, order_, lengths_, positions_, row_nodes_;
    std::vector<long> nodes_before_;
    // The kernels' files, one for each instruction set, must not instantiate the standard library's templates.
    const Node* nodes_data_;
    const int32_t *parents_data_, *first_nodes_data_, *first_groups_data_;
    const int32_t *order_data_, *lengths_data_, *positions_data_, *row_nodes_data_;
    const long* nodes_before_data_;
};

}  // namespace doldari
