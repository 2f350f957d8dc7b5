#!/bin/sh
# Make sure that the judges of FHIR output are on this machine, under .judges/: node with the packages of
# conformance/validators/node (lock with hashes), and a virtual environment of its own for google-fhir-r4, whose dependencies
# are older than ours. Installs Debian's node when root; otherwise says in one message what is missing and which command
# installs it. Does nothing when what is there is what the locks say.
set -eu
cd "$(dirname "$0")/.."

into=.judges
node=conformance/validators/node
google=conformance/validators/google_fhir
python=${PYTHON:-python3}

missing=""
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "The tests need:$missing. Install with: sudo apt-get install -y --no-install-recommends$missing" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

wanted=$(cat "$node/package.json" "$node/package-lock.json" "$node/.npmrc" "$google"/*.lock | sha256sum | cut -d' ' -f1)
[ "$(cat $into/installed 2>/dev/null || true)" = "$wanted" ] && exit 0

rm -rf $into/node $into/google-fhir $into/installed
mkdir -p $into/node
cp "$node/package.json" "$node/package-lock.json" "$node/.npmrc" $into/node/
(cd $into/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)

"$python" -m venv $into/google-fhir || { echo "On Debian: apt-get install python3-venv" >&2; exit 1; }
pip="$into/google-fhir/bin/python -m pip -q --disable-pip-version-check"
# Two of the packages exist only as source; what builds them is pinned too, so that no build step fetches anything unpinned.
$pip install --require-hashes -r $google/build.lock
$pip install --require-hashes --no-build-isolation -r $google/requirements.lock
echo "$wanted" >$into/installed
