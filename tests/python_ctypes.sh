#!/bin/sh
# python_ctypes.sh SOURCE LIBRARY: the Python example on this library, with the first Python that has NumPy; 77: none has.
set -eu
for python in python3 /usr/bin/python3; do
    if command -v "$python" >/dev/null && "$python" -c 'import numpy' 2>/dev/null; then
        HYBRIDNET_LIBRARY=$2 PYTHONDONTWRITEBYTECODE=1 exec "$python" "$1/examples/python_ctypes/train.py"
    fi
done
echo "skipped: no Python with NumPy; on Debian: apt-get install python3-numpy"
exit 77
