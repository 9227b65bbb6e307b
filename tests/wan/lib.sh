# SPDX-License-Identifier: Apache-2.0
# Sourced by what needs a long line: two network namespaces, $wan_a (10.99.0.1)
# and $wan_b (10.99.0.2), and the program `wan` between them.

wan_a=qair-a-$$ wan_b=qair-b-$$ wan_pid=""

# Why there can be no line here; empty when there can.
wan_missing() {
    [ "$(id -u)" = 0 ] || { echo "needs root for network namespaces"; return; }
    command -v ip >/dev/null || { echo "needs ip(8) of iproute2"; return; }
    [ -c /dev/net/tun ] || { echo "needs /dev/net/tun"; return; }
    ip netns add "$wan_a" 2>/dev/null ||
        { echo "network namespaces cannot be made here"; return; }
    ip netns del "$wan_a"
}

# wan_up WAN [OPTION...]: the line, both ends up.
wan_up() {
    local program=$1 n i
    shift
    ip netns add "$wan_a" && ip netns add "$wan_b" || return 1
    coproc WAN { exec "$program" "$wan_a" "$wan_b" "$@"; }
    wan_pid=$WAN_PID
    read -r n <&"${WAN[0]}" && [ "$n" = ready ] || return 1
    i=0
    for n in "$wan_a" "$wan_b"; do
        i=$((i + 1))
        ip -n "$n" link set lo up
        ip -n "$n" addr add "10.99.0.$i/24" dev wan0
        ip -n "$n" link set wan0 up
    done
}

wan_cut() { kill -USR1 "$wan_pid"; }
wan_mend() { kill -USR2 "$wan_pid"; }

wan_down() {
    [ -z "$wan_pid" ] || kill "$wan_pid" 2>/dev/null || true
    wan_pid=""
    ip netns del "$wan_a" 2>/dev/null || true
    ip netns del "$wan_b" 2>/dev/null || true
}
