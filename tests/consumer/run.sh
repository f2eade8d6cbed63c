#!/usr/bin/env bash
# run.sh CASE BUILD SOURCE: uses the library as a stranger would. CASE: pkgconfig, static, find_package,
# add_subdirectory or cxx. BUILD is the built tree, which is installed to a temporary prefix. Exit status 77: skipped.
# From the environment: HN_CC, HN_CXX (default gcc, g++), and HN_CMAKE_ARGS, settings of BUILD that a rebuild repeats.
set -euo pipefail
case_name=$1 build=$(realpath "$2") source=$(realpath "$3")
here=$source/tests/consumer
cc=${HN_CC:-gcc} cxx=${HN_CXX:-g++}

need() {
    for tool; do
        command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
    done
}

need cmake
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
version=$(sed -n 's/^set(CMAKE_PROJECT_VERSION "\(.*\)")/\1/p;s/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")

# Installed once and then moved: what is installed must not remember where it was put.
install() {
    cmake --install "$build" --prefix "$tmp/first" >"$tmp/install.log" || { cat "$tmp/install.log"; exit 1; }
    mv "$tmp/first" "$tmp/prefix"
    libdir=$(dirname "$(find "$tmp/prefix" -name 'libhybridnet.a')")
    export PKG_CONFIG_PATH=$libdir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    [ "$(pkg-config --modversion hybridnet)" = "$version" ]
}

define=-DHN_EXPECTED_VERSION=\"$version\"
cflags() { pkg-config --cflags hybridnet; }

# links_shared APP yes|no: whether the program loads libhybridnet.so. (sed reads to the end: no broken pipe.)
links_shared() {
    local found
    found=$(readelf -d "$1" | sed -n '/NEEDED.*libhybridnet/c\yes')
    [ "${found:-no}" = "$2" ] || { echo "$1: links to libhybridnet.so: ${found:-no}, expected $2"; exit 1; }
}

cmake_project() {
    local name=$1 generator=()
    shift
    if command -v ninja >/dev/null; then generator=(-G Ninja); fi
    cmake -S "$here/$name" -B "$tmp/build" "${generator[@]}" -DCMAKE_C_COMPILER="$cc" -DHN_EXPECTED_VERSION="$version" "$@" >"$tmp/log" 2>&1 &&
        cmake --build "$tmp/build" --parallel 2 >>"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }
    "$tmp/build/app_hybridnet"
    "$tmp/build/app_static"
    links_shared "$tmp/build/app_hybridnet" yes
    links_shared "$tmp/build/app_static" no
}

# Word splitting of what pkg-config prints is wanted.
# shellcheck disable=SC2046
case $case_name in
pkgconfig)
    need pkg-config "$cc" readelf
    install
    "$cc" -std=c11 "$define" $(cflags) "$here/app.c" -o "$tmp/app" $(pkg-config --libs hybridnet) -lm
    links_shared "$tmp/app" yes
    LD_LIBRARY_PATH=$libdir "$tmp/app"
    ;;
static)
    need pkg-config "$cc" readelf
    install
    rm "$libdir"/libhybridnet.so*
    "$cc" -std=c11 "$define" $(cflags) "$here/app.c" -o "$tmp/app" $(pkg-config --static --libs hybridnet)
    links_shared "$tmp/app" no
    "$tmp/app"
    # And with nothing shared at all, where the other libraries have static versions.
    if "$cc" -static -std=c11 "$define" $(cflags) "$here/app.c" -o "$tmp/app" $(pkg-config --static --libs hybridnet) \
        2>"$tmp/log"; then
        "$tmp/app"
    elif grep -q 'cannot find -l' "$tmp/log"; then
        echo "not tried: fully static ($(grep -o 'cannot find -l[^ :]*' "$tmp/log" | sort -u | tr '\n' ' '))"
    else
        cat "$tmp/log"
        exit 1
    fi
    ;;
find_package)
    need "$cc" readelf
    install
    cmake_project find_package -DCMAKE_PREFIX_PATH="$tmp/prefix"
    ;;
add_subdirectory)
    need "$cc" readelf
    # shellcheck disable=SC2086
    cmake_project add_subdirectory -DHN_SOURCE="$source" ${HN_CMAKE_ARGS:-}
    ;;
cxx)
    need pkg-config "$cxx"
    install
    "$cxx" -std=c++17 -pedantic -Wall -Wextra -Werror $(cflags) "$here/app.cpp" -o "$tmp/app" $(pkg-config --libs hybridnet)
    LD_LIBRARY_PATH=$libdir "$tmp/app"
    ;;
*)
    echo "usage: run.sh pkgconfig|static|find_package|add_subdirectory|cxx BUILD SOURCE" >&2
    exit 2
    ;;
esac
