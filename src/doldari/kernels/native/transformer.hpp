// The arguments of the kernels of a transformer, as kernels.hpp has those of the others.

#pragma once

#include "arguments.hpp"

namespace doldari {

template <class Real>
struct Rotate {
    Call& call;
    const Real* xs = call.array<const Real>("xs", "P D");
    const Real* cosines = call.array<const Real>("cosines", "R E");
    const Real* sines = call.array<const Real>("sines", "R E");
    const int32_t* rows = call.ids("rows", "P", 'R');
    bool backwards = call.number<bool>("backwards");
    Real* ys = call.array<Real>("ys", "P D");
    long P = call['P'], E = call['E'], D = call.multiple("xs", 'D', 2 * E);
};

template <class Real>
struct AttendHeads {
    Call& call;
    const Real* queries = call.array<const Real>("queries", "N T D");
    Rows<Real> keys = call.rows<Real>("keys", "Q S D");
    Rows<Real> values = call.rows<Real>("values", "Q S D");
    const bool* mask = call.optional<const bool>("mask", "Q S");
    const int32_t* rows = call.optional_ids("rows", "N", 'Q');
    const bool* asking = call.optional<const bool>("asking", "N T");
    bool causal = call.number<bool>("causal");
    Real* weights = call.array<Real>("weights", "N H T S");
    Real* contexts = call.array<Real>("contexts", "N T D");
    long N = call['N'], T = call['T'], S = call['S'], heads = call['H'], D = call.multiple("queries", 'D', heads);
};

template <class Real>
struct AttendHeadsBackward {
    Call& call;
    const Real* queries = call.array<const Real>("queries", "N T D");
    const Real* keys = call.array<const Real>("keys", "N S D");
    const Real* values = call.array<const Real>("values", "N S D");
    const Real* weights = call.array<const Real>("weights", "N H T S");
    const Real* dcontexts = call.array<const Real>("dcontexts", "N T D");
    Real* dqueries = call.array<Real>("dqueries", "N T D");
    Real* dkeys = call.array<Real>("dkeys", "N S D");
    Real* dvalues = call.array<Real>("dvalues", "N S D");
    long N = call['N'], T = call['T'], S = call['S'], heads = call['H'], D = call.multiple("queries", 'D', heads);
};

template <class Real>
struct LayerNorm {
    Call& call;
    const Real* xs = call.array<const Real>("xs", "P D");
    const Real* g = call.array<const Real>("g", "D");
    const Real* b = call.array<const Real>("b", "D");
    Real* ys = call.array<Real>("ys", "P D");
    Real* normalized = call.array<Real>("normalized", "P D");
    Real* scales = call.array<Real>("scales", "P");
    long P = call['P'], D = call['D'];
};

template <class Real>
struct LayerNormBackward {
    Call& call;
    const Real* dys = call.array<const Real>("dys", "P D");
    const Real* g = call.array<const Real>("g", "D");
    const Real* normalized = call.array<const Real>("normalized", "P D");
    const Real* scales = call.array<const Real>("scales", "P");
    Real* dxs = call.array<Real>("dxs", "P D");
    Real* dg = call.array<Real>("dg", "D");
    Real* db = call.array<Real>("db", "D");
    long P = call['P'], D = call['D'];
};

}  // namespace doldari
