#!/bin/sh
# Build the native kernels with AddressSanitizer and UndefinedBehaviorSanitizer, and run their tests under both.
#
# Needs cmake, ninja, nanobind and the test extra in the Python of $PYTHON (default: python).
set -eu

cd "$(dirname "$0")/.."
python=${PYTHON:-python}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -Werror"

cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPython_EXECUTABLE="$(command -v "$python")" \
    -DCMAKE_CXX_FLAGS="$flags" >"$build/log"
cmake --build "$build" >>"$build/log" || { tail -50 "$build/log"; exit 1; }

# A package made of links to the sources and of the module just built.
cp -r src/doldari "$build/doldari"
rm -f "$build"/doldari/kernels/_native*
cp "$build"/_native*.so "$build/doldari/kernels"

# Python itself leaks at exit, and hypothesis allocates enough for ASan's quarantine to matter.
export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1
export LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)"
export PYTHONPATH="$build" DOLDARI_KERNELS=native
case $("$python" -c 'import doldari; print(doldari.__file__)') in
"$build"/*) ;;
*) echo "doldari is installed as editable in $python, which hides the build under test: take another" >&2; exit 1 ;;
esac
# -s: what the sanitizers say reaches the terminal.
"$python" -m pytest -s -p no:cacheprovider "${@:-tests/kernels}"
