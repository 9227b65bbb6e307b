#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Upstream's own socket tests against our programs: qubes_socket_tests.sh
# BUILD-ROOT.  $QAIR_QREXEC_UPSTREAM names a checkout: see README.md.
set -u
build=$1
up=${QAIR_QREXEC_UPSTREAM:-}
skip() {
    echo "1..0 # SKIP $1"
    exit 0
}
[ -n "$up" ] && [ -d "$up/qrexec/tests/socket" ] ||
    skip 'QAIR_QREXEC_UPSTREAM names no checkout of qubes-core-qrexec'
python=$(command -v /usr/bin/python3 || command -v python3) || skip 'no python3'
"$python" -c 'import psutil, pytest' 2> /dev/null ||
    skip 'the tests need python3 with psutil and pytest'

# The tests look for the programs beside their own folder.
root=$(mktemp -d /tmp/qair-upstream-XXXXXX)
trap 'rm -rf "$root"' EXIT
mkdir "$root"/{agent,daemon,libqrexec,lib}
cp -rL "$up/qrexec" "$root/"
cp "$build"/qrexec-{agent,client-vm,fork-server} "$root/agent/"
cp "$build"/qrexec-{daemon,client} "$root/daemon/"
cp "$(dirname "$0")/qubes_tap.py" "$root/"
chmod -R go+rX "$root"
as=()
if [ "$(id -u)" = 0 ]; then # an agent that is root opens sessions
    chown -R nobody "$root"
    as=(setpriv --reuid=nobody "--regid=$(id -g nobody)" --clear-groups
        env HOME=/ USER=nobody LOGNAME=nobody)
fi
cd "$root" || exit 1
export PYTHONDONTWRITEBYTECODE=1
"${as[@]}" "$python" qubes_tap.py qrexec.tests.socket.agent \
    qrexec.tests.socket.daemon
