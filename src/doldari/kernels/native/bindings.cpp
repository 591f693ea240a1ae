// The Python side: take every argument, release the GIL, call the kernel compiled for this processor.

#include <nanobind/nanobind.h>

#include "kernels.hpp"
#include "threads.hpp"

namespace nb = nanobind;

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

/// Add a function to the module: run(kernels, arguments), in float32 or float64.
template <template <class> class Arguments, class Run>
void define(nb::module_& module, const char* name, Run run) {
    module.def(name, [run](nb::args positional, nb::kwargs named) {
        Call call(positional, named);
        const auto of_type = [&]<class Real>(const Kernels<Real>& kernels) {
            const Arguments<Real> arguments{call};
            call.finish();
            nb::gil_scoped_release released;
            return run(kernels, arguments);
        };
        return call.is_float64() ? of_type(instruction_set.float64) : of_type(instruction_set.float32);
    });
}

void set_threads(int threads) {
    if (threads < 1) throw nb::value_error(("threads=" + std::to_string(threads) + ": expected at least 1").c_str());
    set_num_threads(threads);
}

}  // namespace
}  // namespace doldari

NB_MODULE(_native, module) {
    using namespace doldari;
    module.attr("instruction_set") = instruction_set.name;
    module.def("get_num_threads", &num_threads);
    module.def("set_num_threads", &set_threads, nb::arg("threads"));
    module.def("work_alone", &work_alone);
    define<LstmForward>(module, "lstm_forward", [](auto& kernels, auto& p) { kernels.lstm_forward(p); });
    define<LstmBackward>(module, "lstm_backward", [](auto& kernels, auto& p) { kernels.lstm_backward(p); });
    define<LstmGreedy>(module, "lstm_greedy", [](auto& kernels, auto& p) { kernels.lstm_greedy(p); });
    define<GruForward>(module, "gru_forward", [](auto& kernels, auto& p) { kernels.gru_forward(p); });
    define<GruBackward>(module, "gru_backward", [](auto& kernels, auto& p) { kernels.gru_backward(p); });
    define<Attend>(module, "attend", [](auto& kernels, auto& p) { kernels.attend(p); });
    define<AttendBackward>(module, "attend_backward", [](auto& kernels, auto& p) { kernels.attend_backward(p); });
    define<Rotate>(module, "rotate", [](auto& kernels, auto& p) { kernels.rotate(p); });
    define<AttendHeads>(module, "attend_heads", [](auto& kernels, auto& p) { kernels.attend_heads(p); });
    define<AttendHeadsBackward>(
        module, "attend_heads_backward", [](auto& kernels, auto& p) { kernels.attend_heads_backward(p); });
    define<LayerNorm>(module, "layer_norm", [](auto& kernels, auto& p) { kernels.layer_norm(p); });
    define<LayerNormBackward>(
        module, "layer_norm_backward", [](auto& kernels, auto& p) { kernels.layer_norm_backward(p); });
    define<Meet>(module, "meet", [](auto& kernels, auto& p) { kernels.meet(p); });
    define<MeetBackward>(module, "meet_backward", [](auto& kernels, auto& p) { kernels.meet_backward(p); });
    define<Transduce>(module, "transduce", [](auto& kernels, auto& p) { kernels.transduce(p); });
    define<TransduceBackward>(
        module, "transduce_backward", [](auto& kernels, auto& p) { kernels.transduce_backward(p); });
    define<WalkForward>(module, "walk_forward", [](auto& kernels, auto& p) { kernels.walk_forward(p); });
    define<WalkBackward>(module, "walk_backward", [](auto& kernels, auto& p) { kernels.walk_backward(p); });
    define<AddProduct>(module, "add_product", [](auto& kernels, auto& p) { kernels.add_product(p); });
    define<Affine>(module, "affine", [](auto& kernels, auto& p) { kernels.affine(p); });
    define<ScatterRows>(module, "scatter_rows", [](auto& kernels, auto& p) { kernels.scatter_rows(p); });
    define<SoftmaxLoss>(module, "softmax_loss", [](auto& kernels, auto& p) { return kernels.softmax_loss(p); });
    define<Likeliest>(module, "likeliest", [](auto& kernels, auto& p) { kernels.likeliest(p); });
    define<ClipGradients>(module, "clip_gradients", [](auto& kernels, auto& p) { return kernels.clip_gradients(p); });
    define<Adam>(module, "adam", [](auto& kernels, auto& p) { return kernels.adam(p); });
}
