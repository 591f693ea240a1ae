// The arguments of one call from Python: checked for type, shape, layout and leave to write, with errors that name
// the argument.

#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace doldari {

/// N rows of a matrix, `stride` elements apart.
template <class Real>
struct Rows {
    const Real* data;
    long stride;

    [[gnu::always_inline]] const Real* operator[](long n) const { return data + n * stride; }
};

/// A matrix that may be a transpose, or any other view.
template <class Real>
struct View {
    const Real* data;
    long row_stride, column_stride;

    [[gnu::always_inline]] const Real* at(long row, long column) const {
        return data + row * row_stride + column * column_stride;
    }
};

/// Hands out the arguments in the order in which it is asked for them, whether they came by position or by name, and
/// holds the arrays until the call ends.
///
/// Shapes are given in letters, "N T 4H": the first array with a letter says how long that axis is, and those after
/// it must agree.
class Call {
public:
    Call(nanobind::args positional, nanobind::kwargs named) : positional_(positional), named_(named) {}
    Call(const Call&) = delete;
    ~Call() {
        for (Py_buffer& view : views_) PyBuffer_Release(&view);
    }

    /// A dense array, to be read, or written if Element is not const.
    template <class Element>
    Element* array(const char* name, const char* shape) {
        return static_cast<Element*>(take<Element>(name, shape, 0).buf);
    }

    /// The same, or null for None.
    template <class Element>
    Element* optional(const char* name, const char* shape) {
        return peek(name).is_none() ? none(name) : array<Element>(name, shape);
    }

    /// An argument that others leave no use for: it must be None.
    std::nullptr_t none(const char* name) {
        if (!next(name).is_none()) type_error(name, "expected None");
        return nullptr;
    }

    /// A matrix to be read, of which the rows are dense but may lie any distance apart.
    template <class Real>
    Rows<Real> rows(const char* name, const char* shape) {
        const Py_buffer& view = take<const Real>(name, shape, 1);
        return {static_cast<const Real*>(view.buf), view.strides[0] / view.itemsize};
    }

    /// The same, or no data for None.
    template <class Real>
    Rows<Real> optional_rows(const char* name, const char* shape) {
        if (!peek(name).is_none()) return rows<Real>(name, shape);
        ++taken_;
        return {nullptr, 0};
    }

    /// A dense array that ends in several times P, which is H rounded up to a multiple of 32: room for whole panels.
    template <class Real>
    Real* cache(const char* name, const char* shape) {
        const long P = ((*this)['H'] + 31) / 32 * 32;
        lengths_['P' - 'A'] = P + 1;
        return array<Real>(name, shape);
    }

    /// A matrix to be read, whatever its strides.
    template <class Real>
    View<Real> matrix(const char* name, const char* shape) {
        const Py_buffer& view = take<const Real>(name, shape, 2);
        return {static_cast<const Real*>(view.buf), view.strides[0] / view.itemsize, view.strides[1] / view.itemsize};
    }

    /// A dense array of ids from 0 up to, not including, the length that `limit` stands for.
    const int32_t* ids(const char* name, const char* shape, char limit) {
        const Py_buffer& view = take<const int32_t>(name, shape, 0);
        const auto* values = static_cast<const int32_t*>(view.buf);
        for (long i = 0; i < view.len / view.itemsize; ++i) check_id(name, values[i], limit);
        return values;
    }

    /// The same, or null for None.
    const int32_t* optional_ids(const char* name, const char* shape, char limit) {
        return peek(name).is_none() ? none(name) : ids(name, shape, limit);
    }

    int32_t id(const char* name, char limit) {
        const auto value = number<int32_t>(name);
        check_id(name, value, limit);
        return value;
    }

    template <class Number>
    Number number(const char* name) {
        Number value;
        if (!nanobind::try_cast(next(name), value)) type_error(name, "expected a number");
        return value;
    }

    /// How long the axes with this letter are.
    long operator[](char letter) const { return lengths_[letter - 'A'] - 1; }

    /// How long the axes with this letter are, which must be a multiple of `unit`.
    long multiple(const char* name, char letter, long unit) const {
        const long length = (*this)[letter];
        if (unit < 1 || length % unit != 0) value_error(name, "expected a multiple of " + std::to_string(unit));
        return length;
    }

    /// Refuse an argument.
    [[noreturn]] static void refuse(const char* name, const std::string& problem) { value_error(name, problem); }

    /// Raise an error for unexpected arguments.
    void finish() const {
        if (taken_ == positional_.size() + named_.size()) return;
        throw nanobind::type_error(("expected " + std::to_string(taken_) + " arguments").c_str());
    }

    /// Whether the first array of floating-point numbers is of float64, which the others then must be too.
    bool is_float64() const {
        const nanobind::object named = named_.attr("values")();
        for (const nanobind::handle part : {nanobind::handle(positional_), nanobind::handle(named)}) {
            for (const nanobind::handle object : part) {
                Py_buffer view;
                if (!get_buffer(object, view)) continue;
                const std::string format = format_of(view);
                PyBuffer_Release(&view);
                if (format == "f" || format == "d") return format == "d";
            }
        }
        return false;
    }

private:
    /// The argument whose turn it is.
    nanobind::handle peek(const char* name) const {
        if (taken_ < positional_.size()) return positional_[taken_];
        PyObject* object = PyDict_GetItemString(named_.ptr(), name);
        if (object == nullptr) type_error(name, "is missing");
        return object;
    }

    nanobind::handle next(const char* name) {
        const nanobind::handle object = peek(name);
        ++taken_;
        return object;
    }

    /// The next array.  All axes from `dense` on must be dense; those before need only keep the elements aligned.
    template <class Element>
    const Py_buffer& take(const char* name, const char* shape, int dense) {
        const nanobind::handle object = next(name);
        Py_buffer view;
        if (!get_buffer(object, view))
            type_error(name, "expected an array, got " + std::string(Py_TYPE(object.ptr())->tp_name));
        views_.push_back(view);
        check_type<std::remove_const_t<Element>>(name, object, view);
        check_shape(name, view, shape);
        if (!std::is_const_v<Element> && view.readonly) value_error(name, "is read-only and would be written");
        if (reinterpret_cast<uintptr_t>(view.buf) % alignof(Element) != 0) value_error(name, "is not aligned");
        Py_ssize_t stride = view.itemsize;
        for (int axis = view.ndim - 1; axis >= 0; stride *= view.shape[axis--]) {
            const bool right = axis >= dense ? view.strides[axis] == stride : view.strides[axis] % view.itemsize == 0;
            // Where there is at most one element along an axis, its stride means nothing.
            if (!right && view.shape[axis] > 1 && view.len > 0)
                value_error(name, dense == 0 ? "is not contiguous in C order" : "has rows that are not contiguous");
        }
        return views_.back();
    }

    template <class Element>
    static void check_type(const char* name, nanobind::handle object, const Py_buffer& view) {
        const std::string format = format_of(view);
        constexpr bool boolean = std::is_same_v<Element, bool>, integer = std::is_same_v<Element, int32_t>;
        const char* expected = boolean ? "bool" : integer ? "int32" : sizeof(Element) == 4 ? "float32" : "float64";
        if (integer ? (format == "i" || format == "l") && view.itemsize == 4
                    : format == (boolean ? "?" : sizeof(Element) == 4 ? "f" : "d"))
            return;
        const nanobind::object type = nanobind::getattr(object, "dtype", object.type());
        type_error(name, "expected " + std::string(expected) + ", got " + nanobind::str(type).c_str());
    }

    /// Compare with a shape such as "N T 4H", and learn from it the lengths of letters that are new.
    void check_shape(const char* name, const Py_buffer& view, const char* shape) {
        bool right = true;
        int axis = 0;
        for (const char* at = shape; *at != '\0'; at += at[1] == ' ' ? 2 : 1, ++axis) {
            const long factor = '0' <= *at && *at <= '9' ? *at++ - '0' : 1;
            long& length = lengths_[*at - 'A'];  // one more than it is; 0 as long as it is not known
            if (length == 0 && axis < view.ndim) length = view.shape[axis] / factor + 1;
            right = right && axis < view.ndim && view.shape[axis] == factor * (length - 1);
        }
        if (right && axis == view.ndim) return;
        std::string known, got;
        for (char letter = 'A'; letter <= 'Z'; ++letter)
            if ((*this)[letter] >= 0) known += std::string(" ") + letter + "=" + std::to_string((*this)[letter]);
        for (int i = 0; i < view.ndim; ++i) got += (i > 0 ? ", " : "") + std::to_string(view.shape[i]);
        value_error(name, "expected shape (" + std::string(shape) + ") where" + known + ", got (" + got + ")");
    }

    void check_id(const char* name, int32_t id, char limit) const {
        const long ids = (*this)[limit];
        if (id < 0 || id >= ids)
            value_error(name, "expected ids from 0 to " + std::to_string(ids - 1) + ", got " + std::to_string(id));
    }

    static bool get_buffer(nanobind::handle object, Py_buffer& view) {
        if (PyObject_GetBuffer(object.ptr(), &view, PyBUF_STRIDES | PyBUF_FORMAT) == 0) return true;
        PyErr_Clear();
        return false;
    }

    static std::string format_of(const Py_buffer& view) { return view.format == nullptr ? "B" : view.format; }

    [[noreturn]] static void type_error(const std::string& name, const std::string& problem) {
        throw nanobind::type_error((name + ": " + problem).c_str());
    }
    [[noreturn]] static void value_error(const std::string& name, const std::string& problem) {
        throw nanobind::value_error((name + ": " + problem).c_str());
    }

    nanobind::args positional_;
    nanobind::kwargs named_;
    size_t taken_ = 0;
    std::vector<Py_buffer> views_;
    long lengths_[26] = {};
};

}  // namespace doldari
