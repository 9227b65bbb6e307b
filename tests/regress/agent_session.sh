#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sessions of qrexec-agent, with users and a PAM configuration that only this
# test sees.  usage: agent_session.sh TEST-PROGRAM QREXEC-AGENT
set -euo pipefail
[ "$(id -u)" = 0 ] || {
    echo "skipped: sessions of other users need root"
    exit 77
}
unshare -m true 2>/dev/null || {
    echo "skipped: no mount namespace can be made here"
    exit 77
}
dir=$(mktemp -d /tmp/qair-session-XXXXXX)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
mkdir "$dir/pam.d"
cat >"$dir/pam.d/qrexec" <<'PAM'
auth     requisite pam_succeed_if.so quiet user != barred
auth     sufficient pam_rootok.so
account  required  pam_permit.so
session  required  pam_permit.so
PAM
{
    cat /etc/passwd
    echo 'tester:x:54321:54321::/:/bin/sh'
    echo 'second:x:54322:54321::/:/bin/sh'
    echo 'barred:x:54323:54321::/:/bin/sh'
} >"$dir/passwd"
{
    cat /etc/group
    echo 'testers:x:54321:'
    echo 'others:x:54399:tester'
} >"$dir/group"
unshare -m --propagation private bash -c '
    mount --bind "$0/pam.d" /etc/pam.d
    mount --bind "$0/passwd" /etc/passwd
    mount --bind "$0/group" /etc/group
    exec "$@"' "$dir" "$@"
