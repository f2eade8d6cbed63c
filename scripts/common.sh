# shellcheck shell=bash
# What the scripts share: packages, configuring, building. Sourced from the root of the tree.

# Debian's names. PACKAGES_BUILD is what the library and the examples need.
# shellcheck disable=SC2034
PACKAGES_BUILD="cmake ninja-build gcc libc6-dev pkg-config libopenblas-openmp-dev zlib1g-dev libjansson-dev libjpeg-dev libpng-dev"
BUILD_ROOT=${HN_BUILD_ROOT:-$PWD/build}
JOBS=${HN_JOBS:-$(nproc 2>/dev/null || echo 2)}

say() { printf '\n==> %s\n' "$*"; }

# need_packages NAME...: installs what is missing with apt-get; elsewhere says what is needed. Never stops the script:
# what is really missing shows in the next step, and the caller may have it from another source.
need_packages() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        echo "Not a Debian-like system. Needed, by Debian's names: $*"
        return
    fi
    local missing=() name
    for name; do
        # A package may have an architecture that dpkg lists beside it, or more than one.
        case " $(dpkg-query -W -f='${db:Status-Status} ' "$name" 2>/dev/null) " in
        *" installed "*) ;;
        *) missing+=("$name") ;;
        esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "Needed, and there is no sudo to install them with: apt-get install ${missing[*]}"
            return
        }
        root=(sudo)
    fi
    say "Installing ${missing[*]}"
    local log
    log=${TMPDIR:-/tmp}/hybridnet-apt-$(id -u).log
    "${root[@]}" apt-get update -q </dev/null >"$log" 2>&1 || {
        tail -n 5 "$log"
        echo "apt-get update failed; going on with the lists there are"
    }
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null >>"$log" 2>&1 || {
        tail -n 20 "$log"
        echo "Not all packages could be installed; going on without them"
    }
}

# configure DIRECTORY SETTING...: prints cmake's output only if it fails.
configure() {
    local dir=$1 generator=() log
    shift
    # A build folder keeps its generator.
    if [ ! -f "$dir/CMakeCache.txt" ] && command -v ninja >/dev/null; then
        generator=(-G Ninja)
    fi
    mkdir -p "$dir"
    log=$dir/configure.log
    cmake -S . -B "$dir" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release "$@" >"$log" 2>&1 || {
        cat "$log"
        return 1
    }
    grep -E '^-- (hybridnet|This OpenBLAS|skipping)' "$log" || true
}

# build_all DIRECTORY: prints the compiler's output only if it fails.
build_all() {
    cmake --build "$1" --parallel "$JOBS" >"$1/build.log" 2>&1 || {
        grep -E -A12 'error|warning|FAILED|undefined' "$1/build.log" | head -n 100
        return 1
    }
}

# log_tests LOG COMMAND...: ctest's output here and in LOG, and at its end with what status it ended.
log_tests() {
    local log=$1
    shift
    {
        "$@" 2>&1 && echo "ended with status 0" || echo "ended with status $?"
    } | tee "$log"
}

# count_tests LOG: what a run of ctest says, test by test: PASSED FAILED SKIPPED. A ctest that was killed, or whose log could
# not be written, is one more failure: 0 and 8 are the statuses of its own.
count_tests() {
    awk '
        /^ *[0-9]+\/[0-9]+ +Test +#/ {
            if (/ Passed +[0-9.]+ sec/) ++p
            else if (/\*\*\*Skipped/ || /\*\*\*Not Run \(Disabled\)/) ++k
            else ++f
        }
        /^ended with status (0|8)$/ { whole = 1 }
        END { print p + 0, f + (whole ? 0 : 1), k + 0 }' "$1"
}
