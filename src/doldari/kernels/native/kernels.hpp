// What the bindings and the kernels share: the arguments of every kernel, and a table of its versions.
//
// The names, shapes and semantics are those of reference.py.  Arrays are dense in C order, except that the rows of
// h0 and c0 may lie any distance apart.  The bindings have checked shapes and ids; the kernels trust them.

#pragma once

#include <cstdint>

namespace doldari {

/// N rows of a matrix, `stride` elements apart.
template <class Real>
struct Rows {
    const Real* data;
    long stride;

    const Real* operator[](long n) const { return data + n * stride; }
};

template <class Real>
struct LstmForward {
    long N, T, H;
    const Real* table;
    const int32_t* rows;
    const Real* context;  // or null
    const Real* Wh;
    const bool* mask;  // or null
    Rows<Real> h0, c0;
    Real *gates, *hs, *cs;
};

template <class Real>
struct LstmBackward {
    long N, T, H;
    const Real* Wh;
    const bool* mask;  // or null
    Rows<Real> h0, c0;
    const Real *gates, *hs, *cs;
    const Real* dhs;  // or null
    Real *dh, *dc, *dgates, *dWh;
};

template <class Real>
struct LstmGreedy {
    long N, T, H, V;
    const Real* table;
    const Real* context;  // or null
    const Real *Wh, *W, *bias;
    Rows<Real> h0, c0;
    int32_t start_id;
    const int32_t* pad_id;  // or null
    int32_t* answers;
};

template <class Real>
struct GruForward {
    long N, T, H;
    const Real* table;
    const int32_t* rows;
    const Real* context;  // or null
    const Real* Wh;
    const bool* mask;  // or null
    Rows<Real> h0;
    Real *gates, *hs;
};

template <class Real>
struct GruBackward {
    long N, T, H;
    const Real* Wh;
    const bool* mask;  // or null
    Rows<Real> h0;
    const Real *gates, *hs;
    const Real* dhs;  // or null
    Real *dh, *dgates, *dWh;
};

/// A matrix that may be a transpose, or any other view.
template <class Real>
struct View {
    const Real* data;
    long row_stride, column_stride;

    const Real* at(long row, long column) const { return data + row * row_stride + column * column_stride; }
};

template <class Real>
struct AddProduct {
    long M, N, K;
    View<Real> a, b;
    Real* out;
};

template <class Real>
struct ScatterRows {
    long positions, K;
    const Real* dgates;
    const int32_t* rows;
    Real* dtable;
};

template <class Real>
struct SoftmaxLoss {
    long positions, V;
    const Real* scores;
    const int32_t* targets;
    const bool* mask;  // or null
    Real* dscores;
};

template <class Real>
struct Adam {
    long size;
    Real *values, *gradients, *m, *v;
    double learning_rate, beta1, beta2, eps;
    long step;
};

/// The kernels compiled for one instruction set.
template <class Real>
struct Kernels {
    void (*lstm_forward)(const LstmForward<Real>&);
    void (*lstm_backward)(const LstmBackward<Real>&);
    void (*lstm_greedy)(const LstmGreedy<Real>&);
    void (*gru_forward)(const GruForward<Real>&);
    void (*gru_backward)(const GruBackward<Real>&);
    void (*add_product)(const AddProduct<Real>&);
    void (*scatter_rows)(const ScatterRows<Real>&);
    double (*softmax_loss)(const SoftmaxLoss<Real>&);
    double (*norm)(const Real* x, long size);
    void (*adam)(const Adam<Real>&, Real scale);
    void (*scale)(Real* x, long size, Real factor);
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
