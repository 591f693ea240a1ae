// The arguments of the kernels of a transducer, as kernels.hpp has those of the others.

#pragma once

#include "arguments.hpp"

namespace doldari {

/// Refuse sources, of which `sources` says how many there are, that have not from 1 to S places.
inline void check_lengths(const Call& call, const int32_t* lengths, char sources) {
    for (long q = 0; q < call[sources]; ++q)
        if (lengths[q] < 1 || lengths[q] > call['S']) Call::refuse("lengths", "expected from 1 to S places");
}

/// Refuse what copying the places of so many sources writes, unless it is ids, or -1 where nothing can be copied.
inline void check_copies(const Call& call, const int32_t* copies, char sources) {
    for (long i = 0; i < call[sources] * call['S']; ++i)
        if (copies[i] < -1 || copies[i] >= call['V']) Call::refuse("copies", "expected ids, or -1 for none");
}

/// Return how many cells there are, M, if every source has from 1 to S places and its steps as many cells.
inline long checked_cells(const Call& call, const int32_t* rows, const int32_t* lengths) {
    check_lengths(call, lengths, 'Q');
    long cells = 0;
    for (long p = 0; p < call['P']; ++p) cells += lengths[rows[p]];
    if (cells != call['M']) Call::refuse("lengths", "expected as many places as there are cells");
    return cells;
}

/// Take what copying the places writes.
inline const int32_t* checked_copies(Call& call) {
    const auto* copies = call.array<const int32_t>("copies", "Q S");
    check_copies(call, copies, 'Q');
    return copies;
}

/// Refuse symbols, read or copied, that are not among the V that are written.
inline bool checked_symbols(const Call& call, const int32_t* copies, char sources, const int32_t* xs) {
    for (long i = 0; i < call['N'] * call['T']; ++i)
        if (xs[i] < 0 || xs[i] >= call['V']) Call::refuse("xs", "expected ids of symbols");
    check_copies(call, copies, sources);
    return true;
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

/// Return how many cells the rows have in one step, if there are as many in T steps as K, and U is T + 1.
inline long checked_walk(const Call& call, const int32_t* rows, const int32_t* lengths) {
    check_lengths(call, lengths, rows == nullptr ? 'N' : 'Q');
    long cells = 0;
    for (long n = 0; n < call['N']; ++n) cells += lengths[rows == nullptr ? n : rows[n]];
    if (cells * call['T'] != call['K']) Call::refuse("zs", "expected as many cells as there are places in all steps");
    if (call['U'] != call['T'] + 1) Call::refuse("hs", "expected one state more than steps");
    if (call['A'] != call['V'] + 2) Call::refuse("actions", "expected two more than symbols");
    return cells;
}

template <class Real>
struct WalkForward {
    Call& call;
    const Real* products = call.array<const Real>("products", "T N 4H");
    const Real* Wf = call.array<const Real>("Wf", "M 4H");
    const Real* Wh = call.array<const Real>("Wh", "H 4H");
    const Real* queries = call.array<const Real>("queries", "N J");
    const Real* Wq = call.array<const Real>("Wq", "H J");
    const Real* h_scales = call.optional<const Real>("h_scales", "T N H");
    const Real* z_scales = call.optional<const Real>("z_scales", "T N J");
    const Real* values = call.array<const Real>("values", "Q S M");
    const Real* keys = call.array<const Real>("keys", "Q S J");
    const int32_t* copies = call.array<const int32_t>("copies", "Q S");
    const int32_t* lengths = call.array<const int32_t>("lengths", "Q");
    const int32_t* rows = call.ids("rows", "N", 'Q');
    const Real* W = call.array<const Real>("W", "J A");
    const Real* b = call.array<const Real>("b", "A");
    long end_id = call.number<long>("end_id");
    const int32_t* xs = call.array<const int32_t>("xs", "N T");
    const bool* mask = call.optional<const bool>("mask", "N T");
    bool begun = call.number<bool>("begun");
    Real* arrivals = call.array<Real>("arrivals", "N S V");
    Real* places = call.array<Real>("places", "T N S");
    Real* averages = call.array<Real>("averages", "T N M");
    Real* gates = call.array<Real>("gates", "T N 4H");
    Real* hs = call.array<Real>("hs", "U N H");
    Real* cs = call.array<Real>("cs", "U N H");
    Real* zs = call.array<Real>("zs", "K J");
    Real* actions = call.array<Real>("actions", "K A");
    Real* reached = call.array<Real>("reached", "T N S");
    Real* arrived = call.array<Real>("arrived", "T N S");
    Real* logs = call.array<Real>("logs", "N T V");
    long N = call['N'], T = call['T'], H = call['H'], M = call['M'], J = call['J'], S = call['S'], V = call['V'];
    long A = call['A'], cells = checked_walk(call, rows, lengths);
    bool checked = checked_symbols(call, copies, 'Q', xs);
};

template <class Real>
struct WalkBackward {
    Call& call;
    const Real* dlogs = call.array<const Real>("dlogs", "N T V");
    const Real* Wf = call.array<const Real>("Wf", "M 4H");
    const Real* Wh = call.array<const Real>("Wh", "H 4H");
    const Real* Wq = call.array<const Real>("Wq", "H J");
    const Real* h_scales = call.optional<const Real>("h_scales", "T N H");
    const Real* z_scales = call.optional<const Real>("z_scales", "T N J");
    const Real* values = call.array<const Real>("values", "N S M");
    const int32_t* copies = call.array<const int32_t>("copies", "N S");
    const int32_t* lengths = call.array<const int32_t>("lengths", "N");
    const Real* W = call.array<const Real>("W", "J A");
    const int32_t* xs = call.array<const int32_t>("xs", "N T");
    const bool* mask = call.optional<const bool>("mask", "N T");
    const Real* places = call.array<const Real>("places", "T N S");
    const Real* gates = call.array<const Real>("gates", "T N 4H");
    const Real* hs = call.array<const Real>("hs", "U N H");
    const Real* cs = call.array<const Real>("cs", "U N H");
    const Real* zs = call.array<const Real>("zs", "K J");
    const Real* actions = call.array<const Real>("actions", "K A");
    const Real* reached = call.array<const Real>("reached", "T N S");
    const Real* arrived = call.array<const Real>("arrived", "T N S");
    const Real* logs = call.array<const Real>("logs", "N T V");
    Real* dproducts = call.array<Real>("dproducts", "T N 4H");
    Real* dqueries = call.array<Real>("dqueries", "T N J");
    Real* dactions = call.array<Real>("dactions", "K A");
    Real* dkeys = call.array<Real>("dkeys", "N S J");
    Real* dvalues = call.array<Real>("dvalues", "N S M");
    Real* dh = call.array<Real>("dh", "N H");
    long N = call['N'], T = call['T'], H = call['H'], M = call['M'], J = call['J'], S = call['S'], V = call['V'];
    long A = call['A'], cells = checked_walk(call, nullptr, lengths);
    bool checked = checked_symbols(call, copies, 'N', xs);
};

}  // namespace doldari
