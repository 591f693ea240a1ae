// The arguments of the kernels of a transducer, as kernels.hpp has those of the others.

#pragma once

#include "arguments.hpp"

namespace doldari {

/// Return how many cells there are, M, if every source has from 1 to S places and its steps as many cells.
inline long checked_cells(const Call& call, const int32_t* rows, const int32_t* lengths) {
    long cells = 0;
    for (long q = 0; q < call['Q']; ++q)
        if (lengths[q] < 1 || lengths[q] > call['S']) Call::refuse("lengths", "expected from 1 to S places");
    for (long p = 0; p < call['P']; ++p) cells += lengths[rows[p]];
    if (cells != call['M']) Call::refuse("lengths", "expected as many places as there are cells");
    return cells;
}

/// Take what copying the places writes: ids, or -1 where nothing can be copied.
inline const int32_t* checked_copies(Call& call) {
    const auto* copies = call.array<const int32_t>("copies", "Q S");
    for (long i = 0; i < call['Q'] * call['S']; ++i)
        if (copies[i] < -1 || copies[i] >= call['V']) Call::refuse("copies", "expected ids, or -1 for none");
    return copies;
}

template <class Real>
struct Meet {
    Call& call;
    const Real* queries = call.array<const Real>("queries", "P J");
    const Real* keys = call.array<const Real>("keys", "Q S J");
    const int32_t* rows = call.ids("rows", "P", 'Q');
    const int32_t* lengths = call.array<const int32_t>("lengths", "Q");
    const Real* scales = call.optional<const Real>("scales", "Q J");
    Real* zs = call.array<Real>("zs", "M J");
    long P = call['P'], S = call['S'], J = call['J'], M = checked_cells(call, rows, lengths);
};

template <class Real>
struct MeetBackward {
    Call& call;
    const Real* dzs = call.array<const Real>("dzs", "M J");
    const Real* zs = call.array<const Real>("zs", "M J");
    Real* dqueries = call.array<Real>("dqueries", "P J");
    Real* dkeys = call.array<Real>("dkeys", "Q S J");
    const int32_t* rows = call.ids("rows", "P", 'Q');
    const int32_t* lengths = call.array<const int32_t>("lengths", "Q");
    const Real* scales = call.optional<const Real>("scales", "Q J");
    long P = call['P'], Q = call['Q'], S = call['S'], J = call['J'], M = checked_cells(call, rows, lengths);
};

template <class Real>
struct Transduce {
    Call& call;
    Real* inserted = call.array<Real>("inserted", "M V");
    Real* moved = call.array<Real>("moved", "M 2B");
    const int32_t* copies = checked_copies(call);
    const int32_t* lengths = call.array<const int32_t>("lengths", "Q");
    const int32_t* rows = call.ids("rows", "P", 'Q');
    long end_id = call.number<long>("end_id");
    const Real* places = call.array<const Real>("places", "P S");
    Real* reached = call.array<Real>("reached", "P S");
    Real* arrivals = call.array<Real>("arrivals", "P S V");
    Real* logs = call.array<Real>("logs", "P V");
    long P = call['P'], S = call['S'], V = call['V'], M = checked_cells(call, rows, lengths);
};

template <class Real>
struct TransduceBackward {
    Call& call;
    const Real* inserted = call.array<const Real>("inserted", "M V");
    const Real* moved = call.array<const Real>("moved", "M 2B");
    const int32_t* copies = checked_copies(call);
    const int32_t* lengths = call.array<const int32_t>("lengths", "Q");
    const int32_t* rows = call.ids("rows", "P", 'Q');
    const Real* places = call.array<const Real>("places", "P S");
    const Real* reached = call.array<const Real>("reached", "P S");
    const Real* arrivals = call.array<const Real>("arrivals", "P S V");
    const Real* logs = call.array<const Real>("logs", "P V");
    const Real* dlogs = call.array<const Real>("dlogs", "P V");
    const int32_t* written = call.ids("written", "P", 'V');
    const Real* garrivals = call.array<const Real>("garrivals", "P S");
    Real* dinserted = call.array<Real>("dinserted", "M V");
    Real* dmoved = call.array<Real>("dmoved", "M 2B");
    Real* gplaces = call.array<Real>("gplaces", "P S");
    long P = call['P'], S = call['S'], V = call['V'], M = checked_cells(call, rows, lengths);
};

}  // namespace doldari
