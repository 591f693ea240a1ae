// Array arguments: checked for type, shape, layout and leave to write, with errors that name the argument.

#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <type_traits>

#include "kernels.hpp"

namespace doldari {

/// An array argument, held for as long as the kernel runs.
class Array {
public:
    Array(const char* name, nanobind::handle object) : name_(name) {
        if (PyObject_GetBuffer(object.ptr(), &buffer_.view, PyBUF_STRIDES | PyBUF_FORMAT) == 0) return;
        PyErr_Clear();
        type_error("expected an array, got " + std::string(Py_TYPE(object.ptr())->tp_name));
    }

    bool is_float64() const {
        if (format() != "f" && format() != "d") type_error("expected float32 or float64, got " + type_name());
        return format() == "d";
    }

    /// How long an axis is, of the `axes` that there must be.
    long length(int axis, int axes) const {
        if (view().ndim != axes) value_error("expected " + std::to_string(axes) + " axes, got shape " + shape_text());
        return view().shape[axis];
    }

    /// The elements, to be read, or written if Element is not const: of this type and shape, in C order.
    template <class Element>
    Element* elements(std::initializer_list<long> shape) const {
        check<Element>(shape);
        check_strides(0);
        return static_cast<Element*>(view().buf);
    }

    /// The same for N rows, which may lie any distance apart.
    template <class Real>
    Rows<Real> rows(long N, long width) const {
        check<const Real>({N, width});
        check_strides(1);
        return {static_cast<const Real*>(view().buf), view().strides[0] / static_cast<long>(sizeof(Real))};
    }

    /// A matrix to be read, whatever its strides.
    template <class Real>
    View<Real> matrix(long M, long N) const {
        check<const Real>({M, N});
        check_strides(2);
        const long size = sizeof(Real);
        return {static_cast<const Real*>(view().buf), view().strides[0] / size, view().strides[1] / size};
    }

    /// Ids from 0 up to, not including, `limit`.
    const int32_t* ids(std::initializer_list<long> shape, long limit) const {
        const auto* values = elements<const int32_t>(shape);
        for (long i = 0; i < size(); ++i)
            if (values[i] < 0 || values[i] >= limit)
                value_error("expected ids from 0 to " + std::to_string(limit - 1) + ", got " +
                            std::to_string(values[i]));
        return values;
    }

private:
    struct Buffer {
        Py_buffer view{};
        Buffer() = default;
        Buffer(const Buffer&) = delete;
        ~Buffer() { PyBuffer_Release(&view); }
    };

    const Py_buffer& view() const { return buffer_.view; }
    std::string format() const { return view().format == nullptr ? "B" : view().format; }
    long size() const { return view().len / view().itemsize; }

    std::string type_name() const {
        const nanobind::handle object(view().obj);
        if (!nanobind::hasattr(object, "dtype")) return "elements of format '" + format() + "'";
        const nanobind::object dtype = object.attr("dtype");
        return nanobind::str(dtype).c_str();
    }

    std::string shape_text() const { return text(view().shape, view().ndim); }

    template <class Length>
    static std::string text(const Length* lengths, long axes) {
        std::string all = "(";
        for (long axis = 0; axis < axes; ++axis) all += (axis > 0 ? ", " : "") + std::to_string(lengths[axis]);
        return all + (axes == 1 ? ",)" : ")");
    }

    template <class Element>
    void check(std::initializer_list<long> shape) const {
        using Plain = std::remove_const_t<Element>;
        constexpr bool integer = std::is_same_v<Plain, int32_t>, boolean = std::is_same_v<Plain, bool>;
        const std::string is = format();
        const bool right = boolean   ? is == "?"
                           : integer ? (is == "i" || is == "l") && view().itemsize == 4
                                     : is == (sizeof(Plain) == 4 ? "f" : "d");
        if (!right) {
            const char* wanted = boolean ? "bool" : integer ? "int32" : sizeof(Plain) == 4 ? "float32" : "float64";
            type_error("expected " + std::string(wanted) + ", got " + type_name());
        }
        bool same = view().ndim == static_cast<int>(shape.size());
        for (int axis = 0; same && axis < view().ndim; ++axis) same = view().shape[axis] == shape.begin()[axis];
        if (!same)
            value_error("expected shape " + text(shape.begin(), static_cast<long>(shape.size())) + ", got " +
                        shape_text());
        if (!std::is_const_v<Element> && view().readonly) value_error("is read-only and would be written");
        if (reinterpret_cast<uintptr_t>(view().buf) % alignof(Plain) != 0) value_error("is not aligned");
    }

    /// All axes from `first` on must be dense; those before it need only keep the elements aligned.
    void check_strides(int first) const {
        Py_ssize_t dense = view().itemsize;
        for (int axis = view().ndim - 1; axis >= 0; --axis) {
            const bool right = axis >= first ? view().strides[axis] == dense
                                             : view().strides[axis] % view().itemsize == 0;
            // Where there is at most one element along an axis, its stride means nothing.
            if (!right && view().shape[axis] > 1 && size() > 0)
                value_error(first == 0 ? "is not contiguous in C order" : "has rows that are not contiguous");
            dense *= view().shape[axis];
        }
    }

    [[noreturn]] void type_error(const std::string& problem) const {
        throw nanobind::type_error((name_ + ": " + problem).c_str());
    }
    [[noreturn]] void value_error(const std::string& problem) const {
        throw nanobind::value_error((name_ + ": " + problem).c_str());
    }

    std::string name_;
    Buffer buffer_;
};

/// An array argument that may be None.
class OptionalArray {
public:
    OptionalArray(const char* name, nanobind::handle object) {
        if (!object.is_none()) array_.emplace(name, object);
    }

    template <class Element>
    Element* elements(std::initializer_list<long> shape) const {
        return array_ ? array_->elements<Element>(shape) : nullptr;
    }

private:
    std::optional<Array> array_;
};

}  // namespace doldari
