// The Python side: check every argument, release the GIL, call the kernel compiled for this processor.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include "arguments.hpp"
#include "kernels.hpp"
#include "threads.hpp"

namespace nb = nanobind;
using nb::handle;

namespace doldari {
namespace {

const InstructionSet& choose() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return avx512::instruction_set;
    if (avx2) return avx2::instruction_set;
#endif
    return baseline::instruction_set;
}

const InstructionSet& instruction_set = choose();

template <class Real>
const Kernels<Real>& kernels() {
    if constexpr (sizeof(Real) == 4)
        return instruction_set.float32;
    else
        return instruction_set.float64;
}

/// Call run(Real{}), with Real the type of this array, which the others then must have too.
template <class Run>
auto by_type(const Array& array, Run run) {
    return array.is_float64() ? run(double{}) : run(float{});
}

void lstm_forward(handle table_, handle rows_, handle context_, handle Wh_, handle mask_, handle h0_, handle c0_,
                  handle gates_, handle hs_, handle cs_) {
    const Array table("table", table_), rows("rows", rows_), Wh("Wh", Wh_), h0("h0", h0_), c0("c0", c0_);
    const Array gates("gates", gates_), hs("hs", hs_), cs("cs", cs_);
    const OptionalArray context("context", context_), mask("mask", mask_);
    by_type(Wh, [&]<class Real>(Real) {
        const long N = rows.length(0, 2), T = rows.length(1, 2), H = Wh.length(0, 2), R = table.length(0, 2);
        const LstmForward<Real> arguments{
            .N = N,
            .T = T,
            .H = H,
            .table = table.elements<const Real>({R, 4 * H}),
            .rows = rows.ids({N, T}, R),
            .context = context.elements<const Real>({N, 4 * H}),
            .Wh = Wh.elements<const Real>({H, 4 * H}),
            .mask = mask.elements<const bool>({N, T}),
            .h0 = h0.rows<Real>(N, H),
            .c0 = c0.rows<Real>(N, H),
            .gates = gates.elements<Real>({N, T, 4 * H}),
            .hs = hs.elements<Real>({N, T, H}),
            .cs = cs.elements<Real>({N, T, H}),
        };
        nb::gil_scoped_release released;
        kernels<Real>().lstm_forward(arguments);
    });
}

void lstm_backward(handle Wh_, handle mask_, handle h0_, handle c0_, handle gates_, handle hs_, handle cs_,
                   handle dhs_, handle dh_, handle dc_, handle dgates_, handle dWh_) {
    const Array Wh("Wh", Wh_), h0("h0", h0_), c0("c0", c0_), gates("gates", gates_), hs("hs", hs_), cs("cs", cs_);
    const Array dh("dh", dh_), dc("dc", dc_), dgates("dgates", dgates_), dWh("dWh", dWh_);
    const OptionalArray mask("mask", mask_), dhs("dhs", dhs_);
    by_type(Wh, [&]<class Real>(Real) {
        const long N = hs.length(0, 3), T = hs.length(1, 3), H = Wh.length(0, 2);
        const LstmBackward<Real> arguments{
            .N = N,
            .T = T,
            .H = H,
            .Wh = Wh.elements<const Real>({H, 4 * H}),
            .mask = mask.elements<const bool>({N, T}),
            .h0 = h0.rows<Real>(N, H),
            .c0 = c0.rows<Real>(N, H),
            .gates = gates.elements<const Real>({N, T, 4 * H}),
            .hs = hs.elements<const Real>({N, T, H}),
            .cs = cs.elements<const Real>({N, T, H}),
            .dhs = dhs.elements<const Real>({N, T, H}),
            .dh = dh.elements<Real>({N, H}),
            .dc = dc.elements<Real>({N, H}),
            .dgates = dgates.elements<Real>({N, T, 4 * H}),
            .dWh = dWh.elements<Real>({H, 4 * H}),
        };
        nb::gil_scoped_release released;
        kernels<Real>().lstm_backward(arguments);
    });
}

void lstm_greedy(handle table_, handle context_, handle Wh_, handle W_, handle bias_, handle h0_, handle c0_,
                 int32_t start_id, std::optional<int32_t> pad_id, handle answers_) {
    const Array table("table", table_), Wh("Wh", Wh_), W("W", W_), bias("bias", bias_), h0("h0", h0_), c0("c0", c0_);
    const Array answers("answers", answers_);
    const OptionalArray context("context", context_);
    by_type(Wh, [&]<class Real>(Real) {
        const long N = answers.length(0, 2), T = answers.length(1, 2), H = Wh.length(0, 2), V = table.length(0, 2);
        const LstmGreedy<Real> arguments{
            .N = N,
            .T = T,
            .H = H,
            .V = V,
            .table = table.elements<const Real>({V, 4 * H}),
            .context = context.elements<const Real>({N, 4 * H}),
            .Wh = Wh.elements<const Real>({H, 4 * H}),
            .W = W.elements<const Real>({H, V}),
            .bias = bias.elements<const Real>({N, V}),
            .h0 = h0.rows<Real>(N, H),
            .c0 = c0.rows<Real>(N, H),
            .start_id = start_id,
            .pad_id = pad_id ? &*pad_id : nullptr,
            .answers = answers.elements<int32_t>({N, T}),
        };
        if (start_id < 0 || start_id >= V) throw nb::value_error("start_id: expected an id of the table");
        nb::gil_scoped_release released;
        kernels<Real>().lstm_greedy(arguments);
    });
}

void gru_forward(handle table_, handle rows_, handle context_, handle Wh_, handle mask_, handle h0_, handle gates_,
                 handle hs_) {
    const Array table("table", table_), rows("rows", rows_), Wh("Wh", Wh_), h0("h0", h0_), gates("gates", gates_);
    const Array hs("hs", hs_);
    const OptionalArray context("context", context_), mask("mask", mask_);
    by_type(Wh, [&]<class Real>(Real) {
        const long N = rows.length(0, 2), T = rows.length(1, 2), H = Wh.length(0, 2), R = table.length(0, 2);
        const GruForward<Real> arguments{
            .N = N,
            .T = T,
            .H = H,
            .table = table.elements<const Real>({R, 3 * H}),
            .rows = rows.ids({N, T}, R),
            .context = context.elements<const Real>({N, 3 * H}),
            .Wh = Wh.elements<const Real>({H, 3 * H}),
            .mask = mask.elements<const bool>({N, T}),
            .h0 = h0.rows<Real>(N, H),
            .gates = gates.elements<Real>({N, T, 4 * H}),
            .hs = hs.elements<Real>({N, T, H}),
        };
        nb::gil_scoped_release released;
        kernels<Real>().gru_forward(arguments);
    });
}

void gru_backward(handle Wh_, handle mask_, handle h0_, handle gates_, handle hs_, handle dhs_, handle dh_,
                  handle dgates_, handle dWh_) {
    const Array Wh("Wh", Wh_), h0("h0", h0_), gates("gates", gates_), hs("hs", hs_), dh("dh", dh_);
    const Array dgates("dgates", dgates_), dWh("dWh", dWh_);
    const OptionalArray mask("mask", mask_), dhs("dhs", dhs_);
    by_type(Wh, [&]<class Real>(Real) {
        const long N = hs.length(0, 3), T = hs.length(1, 3), H = Wh.length(0, 2);
        const GruBackward<Real> arguments{
            .N = N,
            .T = T,
            .H = H,
            .Wh = Wh.elements<const Real>({H, 3 * H}),
            .mask = mask.elements<const bool>({N, T}),
            .h0 = h0.rows<Real>(N, H),
            .gates = gates.elements<const Real>({N, T, 4 * H}),
            .hs = hs.elements<const Real>({N, T, H}),
            .dhs = dhs.elements<const Real>({N, T, H}),
            .dh = dh.elements<Real>({N, H}),
            .dgates = dgates.elements<Real>({N, T, 3 * H}),
            .dWh = dWh.elements<Real>({H, 3 * H}),
        };
        nb::gil_scoped_release released;
        kernels<Real>().gru_backward(arguments);
    });
}

void add_product(handle a_, handle b_, handle out_) {
    const Array a("a", a_), b("b", b_), out("out", out_);
    by_type(out, [&]<class Real>(Real) {
        const long M = out.length(0, 2), N = out.length(1, 2), K = a.length(1, 2);
        const AddProduct<Real> arguments{
            .M = M,
            .N = N,
            .K = K,
            .a = a.matrix<Real>(M, K),
            .b = b.matrix<Real>(K, N),
            .out = out.elements<Real>({M, N}),
        };
        nb::gil_scoped_release released;
        kernels<Real>().add_product(arguments);
    });
}

void scatter_rows(handle dgates_, handle rows_, handle dtable_) {
    const Array dgates("dgates", dgates_), rows("rows", rows_), dtable("dtable", dtable_);
    by_type(dtable, [&]<class Real>(Real) {
        const long N = rows.length(0, 2), T = rows.length(1, 2), R = dtable.length(0, 2), K = dtable.length(1, 2);
        const ScatterRows<Real> arguments{
            .positions = N * T,
            .K = K,
            .dgates = dgates.elements<const Real>({N, T, K}),
            .rows = rows.ids({N, T}, R),
            .dtable = dtable.elements<Real>({R, K}),
        };
        nb::gil_scoped_release released;
        kernels<Real>().scatter_rows(arguments);
    });
}

double softmax_loss(handle scores_, handle targets_, handle mask_, handle dscores_) {
    const Array scores("scores", scores_), targets("targets", targets_), dscores("dscores", dscores_);
    const OptionalArray mask("mask", mask_);
    return by_type(scores, [&]<class Real>(Real) {
        const long N = scores.length(0, 3), T = scores.length(1, 3), V = scores.length(2, 3);
        const SoftmaxLoss<Real> arguments{
            .positions = N * T,
            .V = V,
            .scores = scores.elements<const Real>({N, T, V}),
            .targets = targets.ids({N, T}, V),
            .mask = mask.elements<const bool>({N, T}),
            .dscores = dscores.elements<Real>({N, T, V}),
        };
        nb::gil_scoped_release released;
        return kernels<Real>().softmax_loss(arguments);
    });
}

/// The factor that brings a gradient of this norm down to max_grad; 1 where there is nothing to do.
double clip_factor(double norm, std::optional<double> max_grad) {
    return max_grad && norm > *max_grad ? *max_grad / norm : 1.0;
}

double adam(handle values_, handle gradients_, handle m_, handle v_, double learning_rate, double beta1, double beta2,
            double eps, long step, std::optional<double> max_grad) {
    const Array values("values", values_), gradients("gradients", gradients_), m("m", m_), v("v", v_);
    return by_type(values, [&]<class Real>(Real) {
        const long size = values.length(0, 1);
        const Adam<Real> arguments{
            .size = size,
            .values = values.elements<Real>({size}),
            .gradients = gradients.elements<Real>({size}),
            .m = m.elements<Real>({size}),
            .v = v.elements<Real>({size}),
            .learning_rate = learning_rate,
            .beta1 = beta1,
            .beta2 = beta2,
            .eps = eps,
            .step = step,
        };
        nb::gil_scoped_release released;
        const double norm = kernels<Real>().norm(arguments.gradients, size);
        kernels<Real>().adam(arguments, static_cast<Real>(clip_factor(norm, max_grad)));
        return norm;
    });
}

double clip_gradients(handle gradients_, std::optional<double> max_grad) {
    const Array gradients("gradients", gradients_);
    return by_type(gradients, [&]<class Real>(Real) {
        const long size = gradients.length(0, 1);
        Real* elements = gradients.elements<Real>({size});
        nb::gil_scoped_release released;
        const double norm = kernels<Real>().norm(elements, size);
        const double factor = clip_factor(norm, max_grad);
        if (factor != 1.0) kernels<Real>().scale(elements, size, static_cast<Real>(factor));
        return norm;
    });
}

void set_threads(int threads) {
    if (threads < 1) throw nb::value_error(("threads=" + std::to_string(threads) + ": expected at least 1").c_str());
    set_num_threads(threads);
}

}  // namespace
}  // namespace doldari

NB_MODULE(_native, module) {
    using namespace nb::literals;
    module.attr("instruction_set") = doldari::instruction_set.name;
    module.def("get_num_threads", &doldari::num_threads);
    module.def("set_num_threads", &doldari::set_threads, "threads"_a);
    module.def("lstm_forward", &doldari::lstm_forward, "table"_a, "rows"_a, "context"_a.none(), "Wh"_a,
               "mask"_a.none(), "h0"_a, "c0"_a, "gates"_a, "hs"_a, "cs"_a);
    module.def("lstm_backward", &doldari::lstm_backward, "Wh"_a, "mask"_a.none(), "h0"_a, "c0"_a, "gates"_a, "hs"_a,
               "cs"_a, "dhs"_a.none(), "dh"_a, "dc"_a, "dgates"_a, "dWh"_a);
    module.def("lstm_greedy", &doldari::lstm_greedy, "table"_a, "context"_a.none(), "Wh"_a, "W"_a, "bias"_a, "h0"_a,
               "c0"_a, "start_id"_a, "pad_id"_a.none(), "answers"_a);
    module.def("gru_forward", &doldari::gru_forward, "table"_a, "rows"_a, "context"_a.none(), "Wh"_a,
               "mask"_a.none(), "h0"_a, "gates"_a, "hs"_a);
    module.def("gru_backward", &doldari::gru_backward, "Wh"_a, "mask"_a.none(), "h0"_a, "gates"_a, "hs"_a,
               "dhs"_a.none(), "dh"_a, "dgates"_a, "dWh"_a);
    module.def("add_product", &doldari::add_product, "a"_a, "b"_a, "out"_a);
    module.def("scatter_rows", &doldari::scatter_rows, "dgates"_a, "rows"_a, "dtable"_a);
    module.def("softmax_loss", &doldari::softmax_loss, "scores"_a, "targets"_a, "mask"_a.none(), "dscores"_a);
    module.def("adam", &doldari::adam, "values"_a, "gradients"_a, "m"_a, "v"_a, "learning_rate"_a, "beta1"_a,
               "beta2"_a, "eps"_a, "step"_a, "max_grad"_a.none());
    module.def("clip_gradients", &doldari::clip_gradients, "gradients"_a, "max_grad"_a.none());
}
