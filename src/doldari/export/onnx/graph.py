"""A graph of ONNX operators while it is written: values are names, and every operator adds one or more.

The package `onnx` is imported here alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doldari.errors import MissingPackageError

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise MissingPackageError("an ONNX file needs onnx: pip install 'doldari[onnx]'") from error

OPSET, IR_VERSION = 17, 8  # of 2022: onnxruntime 1.12 and later
FLOAT, DOUBLE, BOOL = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BOOL
INT32, INT64 = TensorProto.INT32, TensorProto.INT64
Dimensions = Sequence[int | str | None]  # a number, the name of what may be any number, or None


class Graph:
    """A graph, or one within another, such as the body of a loop, which sees the values of those around it."""

    def __init__(self, around: "Graph | None" = None) -> None:
        self.nodes: list[Any] = []
        self.root: Graph = self if around is None else around.root
        if around is None:
            self.constants: dict[str, Any] = {}  # tensors by name: all constants stand in the outermost graph
            self.known: dict[tuple[Any, ...], str] = {}
            self.count = 0

    def within(self) -> "Graph":
        """Begin a graph within this one."""
        return Graph(self)

    def new_name(self, kind: str) -> str:
        """Name a value."""
        self.root.count += 1
        return f"{kind}_{self.root.count}"

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator that gives one value."""
        (output,) = self.ops(kind, 1, *inputs, **attributes)
        return output

    def ops(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add an operator that gives several values; an input that is left out is ""."""
        names = [self.new_name(kind) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def name(self, value: str, name: str) -> str:
        """Give a value another name, as an output of the graph."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        return name

    def constant(self, array: NDArray[Any], name: str | None = None) -> str:
        """Add a constant; one without a name that is there already is taken."""
        key = (array.dtype.str, array.shape, array.tobytes()) if name is None else (name,)
        if key not in self.root.known:
            self.root.known[key] = name or self.new_name("constant")
            name = self.root.known[key]
            self.root.constants[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return self.root.known[key]

    def ints(self, *numbers: int) -> str:
        """Add a constant vector of whole numbers."""
        return self.constant(np.array(numbers, np.int64))

    def integer(self, number: int) -> str:
        """Add a whole number."""
        return self.constant(np.array(number, np.int64))

    def real(self, number: float) -> str:
        """Add a number."""
        return self.constant(np.array(number, np.float32))

    def size(self, value: str, axis: int) -> str:
        """Take the size of one axis, as a vector of one number."""
        return self.op("Shape", value, start=axis, end=axis + 1)

    def zeros(self, kind: int, *sizes: str) -> str:
        """Fill a tensor with zeros, of sizes that are vectors of one number each."""
        zero = helper.make_tensor("value", kind, [1], [0])
        return self.op("ConstantOfShape", self.op("Concat", *sizes, axis=0), value=zero)

    def proto(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """Finish a graph that stands within another."""
        return helper.make_graph(self.nodes, name, list(inputs), list(outputs))

    def model(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any], metadata: dict[str, str]) -> bytes:
        """Finish the outermost graph: the model's file."""
        graph = helper.make_graph(self.nodes, name, list(inputs), list(outputs), list(self.constants.values()))
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="doldari")
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content


def tensor(name: str, kind: int, shape: Dimensions | None = None) -> Any:
    """Say of what kind and shape an input or an output is."""
    return helper.make_tensor_value_info(name, kind, shape)
