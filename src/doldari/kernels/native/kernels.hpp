// What the bindings and the kernels share: the arguments of every kernel, and a table of its versions.
//
// The names, shapes and semantics are those of reference/.  A struct's arrays are taken from Python's call in the
// order in which they stand here, and checked then; the kernels trust them.  Those of a transformer's and a
// transducer's are in transformer.hpp and transducer.hpp.

#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "arguments.hpp"
#include "transducer.hpp"
#include "transformer.hpp"

namespace doldari {

template <class Real>
struct LstmForward {
    Call& call;
    const Real* table = call.array<const Real>("table", "R 4H");
    const int32_t* rows = call.ids("rows", "N T", 'R');
    const Real* context = call.optional<const Real>("context", "N 4H");
    const Real* Wh = call.array<const Real>("Wh", "H 4H");
    const bool* mask = call.optional<const bool>("mask", "N T");
    Rows<Real> h0 = call.optional_rows<Real>("h0", "N H");
    Rows<Real> c0 = call.optional_rows<Real>("c0", "N H");
    Real* hs = call.array<Real>("hs", "N T H");
    Real* c = call.array<Real>("c", "N H");
    Real* cache = call.cache<Real>("cache", "N T 6P");
    long N = call['N'], T = call['T'], H = call['H'], R = call['R'];
};

template <class Real>
struct LstmBackward {
    Call& call;
    Real* dtable = call.array<Real>("dtable", "R 4H");
    const int32_t* rows = call.ids("rows", "N T", 'R');
    Real* dcontext = call.optional<Real>("dcontext", "N 4H");
    const Real* Wh = call.array<const Real>("Wh", "H 4H");
    const bool* mask = call.optional<const bool>("mask", "N T");
    Rows<Real> h0 = call.optional_rows<Real>("h0", "N H");
    Rows<Real> c0 = call.optional_rows<Real>("c0", "N H");
    Real* cache = call.cache<Real>("cache", "N T 6P");
    const Real* dhs = call.optional<const Real>("dhs", "N T H");
    Real* dh = call.array<Real>("dh", "N H");
    Real* dc = call.array<Real>("dc", "N H");
    Real* dWh = call.array<Real>("dWh", "H 4H");
    long N = call['N'], T = call['T'], H = call['H'], R = call['R'];
};

template <class Real>
struct LstmGreedy {
    Call& call;
    const Real* table = call.array<const Real>("table", "V 4H");
    const Real* context = call.optional<const Real>("context", "N 4H");
    const Real* Wh = call.array<const Real>("Wh", "H 4H");
    const Real* keys = call.optional<const Real>("keys", "N S H");
    const Real* values = keys == nullptr ? call.none("values") : call.array<const Real>("values", "N S M");
    const bool* mask = keys == nullptr ? call.none("mask") : call.optional<const bool>("mask", "N S");
    const Real* Wq = keys == nullptr ? call.none("Wq") : call.array<const Real>("Wq", "H M");
    const Real* bq = keys == nullptr ? call.none("bq") : call.array<const Real>("bq", "M");
    const Real* W = call.array<const Real>("W", keys == nullptr ? "H V" : "M V");
    const Real* bias = call.array<const Real>("bias", "N V");
    Rows<Real> h0 = call.rows<Real>("h0", "N H");
    Rows<Real> c0 = call.rows<Real>("c0", "N H");
    int32_t start_id = call.id("start_id", 'V');
    int32_t pad_id = call.number<std::optional<int32_t>>("pad_id").value_or(-1);  // -1 is no id
    int32_t* answers = call.array<int32_t>("answers", "N T");
    long N = call['N'], T = call['T'], H = call['H'], V = call['V'];
    long S = keys == nullptr ? 0 : call['S'], M = keys == nullptr ? H : call['M'];
};

template <class Real>
struct GruForward {
    Call& call;
    const Real* table = call.array<const Real>("table", "R 3H");
    const int32_t* rows = call.ids("rows", "N T", 'R');
    const Real* context = call.optional<const Real>("context", "N 3H");
    const Real* Wh = call.array<const Real>("Wh", "H 3H");
    const bool* mask = call.optional<const bool>("mask", "N T");
    Rows<Real> h0 = call.optional_rows<Real>("h0", "N H");
    Real* hs = call.array<Real>("hs", "N T H");
    Real* cache = call.cache<Real>("cache", "N T 5P");
    long N = call['N'], T = call['T'], H = call['H'], R = call['R'];
};

template <class Real>
struct GruBackward {
    Call& call;
    Real* dtable = call.array<Real>("dtable", "R 3H");
    const int32_t* rows = call.ids("rows", "N T", 'R');
    Real* dcontext = call.optional<Real>("dcontext", "N 3H");
    const Real* Wh = call.array<const Real>("Wh", "H 3H");
    const bool* mask = call.optional<const bool>("mask", "N T");
    Rows<Real> h0 = call.optional_rows<Real>("h0", "N H");
    Real* cache = call.cache<Real>("cache", "N T 5P");
    const Real* dhs = call.optional<const Real>("dhs", "N T H");
    Real* dh = call.array<Real>("dh", "N H");
    Real* dWh = call.array<Real>("dWh", "H 3H");
    long N = call['N'], T = call['T'], H = call['H'], R = call['R'];
};

template <class Real>
struct Attend {
    Call& call;
    const Real* keys = call.array<const Real>("keys", "Q S H");
    const Real* values = call.array<const Real>("values", "Q S M");
    const bool* mask = call.optional<const bool>("mask", "Q S");
    const Real* queries = call.array<const Real>("queries", "P H");
    const int32_t* rows = call.ids("rows", "P", 'Q');
    Real* weights = call.array<Real>("weights", "P S");
    Real* contexts = call.array<Real>("contexts", "P M");
    long P = call['P'], S = call['S'], H = call['H'], M = call['M'];
};

template <class Real>
struct AttendBackward {
    Call& call;
    const Real* keys = call.array<const Real>("keys", "Q S H");
    const Real* values = call.array<const Real>("values", "Q S M");
    const bool* mask = call.optional<const bool>("mask", "Q S");
    const Real* queries = call.array<const Real>("queries", "P H");
    const int32_t* rows = call.ids("rows", "P", 'Q');
    const Real* weights = call.array<const Real>("weights", "P S");
    const Real* dcontexts = call.array<const Real>("dcontexts", "P M");
    const Real* dweights = call.optional<const Real>("dweights", "P S");
    Real* dqueries = call.array<Real>("dqueries", "P H");
    Real* dkeys = call.array<Real>("dkeys", "Q S H");
    Real* dvalues = call.array<Real>("dvalues", "Q S M");
    long P = call['P'], Q = call['Q'], S = call['S'], H = call['H'], M = call['M'];
};

template <class Real>
struct AddProduct {
    Call& call;
    View<Real> a = call.matrix<Real>("a", "M K");
    View<Real> b = call.matrix<Real>("b", "K N");
    Real* out = call.array<Real>("out", "M N");
    long M = call['M'], N = call['N'], K = call['K'];
};

template <class Real>
struct Affine {
    Call& call;
    View<Real> a = call.matrix<Real>("a", "M K");
    View<Real> b = call.matrix<Real>("b", "K N");
    const Real* bias = call.optional<const Real>("bias", "N");
    Real* out = call.array<Real>("out", "M N");
    long M = call['M'], N = call['N'], K = call['K'];
};

template <class Real>
struct ScatterRows {
    Call& call;
    Real* dtable = call.array<Real>("dtable", "R K");
    const int32_t* rows = call.ids("rows", "N T", 'R');
    const Real* dxs = call.array<const Real>("dxs", "N T K");
    long positions = call['N'] * call['T'], K = call['K'];
};

template <class Real>
struct SoftmaxLoss {
    Call& call;
    const Real* scores = call.array<const Real>("scores", "N T V");
    const int32_t* targets = call.ids("targets", "N T", 'V');
    const bool* mask = call.optional<const bool>("mask", "N T");
    double smoothing = call.number<double>("smoothing");
    Real* dscores = call.array<Real>("dscores", "N T V");
    long positions = call['N'] * call['T'], V = call['V'];
};

template <class Real>
struct Likeliest {
    Call& call;
    const Real* scores = call.array<const Real>("scores", "N V");
    const bool* allowed = call.optional<const bool>("allowed", "N V");
    int32_t* ids = call.array<int32_t>("ids", "N K");
    double* logs = call.array<double>("logs", "N K");
    long N = call['N'], V = call['V'], K = call['K'];
};

template <class Real>
struct ClipGradients {
    Call& call;
    Real* gradients = call.array<Real>("gradients", "S");
    double max_grad = call.number<std::optional<double>>("max_grad").value_or(INFINITY);
    long size = call['S'];
};

template <class Real>
struct Adam {
    Call& call;
    Real* values = call.array<Real>("values", "S");
    Real* gradients = call.array<Real>("gradients", "S");
    Real* m = call.array<Real>("m", "S");
    Real* v = call.array<Real>("v", "S");
    double learning_rate = call.number<double>("learning_rate");
    double beta1 = call.number<double>("beta1");
    double beta2 = call.number<double>("beta2");
    double eps = call.number<double>("eps");
    long step = call.number<long>("step");
    double max_grad = call.number<std::optional<double>>("max_grad").value_or(INFINITY);
    long size = call['S'];
};

/// The kernels compiled for one instruction set.
template <class Real>
struct Kernels {
    void (*lstm_forward)(const LstmForward<Real>&);
    void (*lstm_backward)(const LstmBackward<Real>&);
    void (*lstm_greedy)(const LstmGreedy<Real>&);
    void (*gru_forward)(const GruForward<Real>&);
    void (*gru_backward)(const GruBackward<Real>&);
    void (*attend)(const Attend<Real>&);
    void (*attend_backward)(const AttendBackward<Real>&);
    void (*rotate)(const Rotate<Real>&);
    void (*attend_heads)(const AttendHeads<Real>&);
    void (*attend_heads_backward)(const AttendHeadsBackward<Real>&);
    void (*layer_norm)(const LayerNorm<Real>&);
    void (*layer_norm_backward)(const LayerNormBackward<Real>&);
    void (*meet)(const Meet<Real>&);
    void (*meet_backward)(const MeetBackward<Real>&);
    void (*transduce)(const Transduce<Real>&);
    void (*transduce_backward)(const TransduceBackward<Real>&);
    void (*walk_forward)(const WalkForward<Real>&);
    void (*walk_backward)(const WalkBackward<Real>&);
    void (*add_product)(const AddProduct<Real>&);
    void (*affine)(const Affine<Real>&);
    void (*scatter_rows)(const ScatterRows<Real>&);
    double (*softmax_loss)(const SoftmaxLoss<Real>&);
    void (*likeliest)(const Likeliest<Real>&);
    double (*clip_gradients)(const ClipGradients<Real>&);
    double (*adam)(const Adam<Real>&);
};

struct InstructionSet {
    const char* name;
    Kernels<float> float32;
    Kernels<double> float64;
};

namespace baseline { extern const InstructionSet instruction_set; }
namespace avx2 { extern const InstructionSet instruction_set; }
namespace avx512 { extern const InstructionSet instruction_set; }

}  // namespace doldari
