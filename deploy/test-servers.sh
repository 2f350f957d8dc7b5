#!/bin/sh
# Make sure that the real servers which the tests start, their browser, and what PDF needs, are on this machine. Installs Debian
# packages when root; otherwise says in one message what is missing and which command installs it. Starts nothing.
set -eu

missing=""
have() { command -v "$1" >/dev/null 2>&1; }
have redis-server || missing="$missing redis-server"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
[ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
have xmlsec1 || missing="$missing xmlsec1"
have Orthanc || missing="$missing orthanc"
[ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || missing="$missing orthanc-dicomweb"
have storescu || missing="$missing dcmtk"
have dciodvfy || missing="$missing dicom3tools"
have chromium || missing="$missing chromium"
have softhsm2-util || missing="$missing softhsm2"
libraries=$(ldconfig -p 2>/dev/null || /sbin/ldconfig -p)
case $libraries in *libpango-1.0.so.0*) ;; *) missing="$missing libpango-1.0-0" ;; esac
case $libraries in *libpangoft2-1.0.so.0*) ;; *) missing="$missing libpangoft2-1.0-0" ;; esac
case $libraries in *libharfbuzz-subset.so.0*) ;; *) missing="$missing libharfbuzz-subset0" ;; esac
ls /usr/share/fonts/truetype/liberation*/LiberationSerif-Regular.ttf >/dev/null 2>&1 || missing="$missing fonts-liberation"
ls /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf >/dev/null 2>&1 || missing="$missing fonts-dejavu-core"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ]; then
    echo "The tests need:$missing. Install with: sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi

# Packages start their services when installed; the tests run their own on free ports, so that is refused here.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=yes
fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
