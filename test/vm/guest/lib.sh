# What every journey may use. A journey is a bash script that says what a user does and checks what must happen.
#
#   check TEXT COMMAND…      one line: ok or FAIL with what the command said last
#   require TEXT COMMAND…    the same, and without it the rest of the journey makes no sense: leaves
#   eventually SECONDS CMD…  repeats the command until it succeeds
#   observe NAME [VALUE]     notes a value (or standard input) to be compared with systemd-nspawn's
#   note TEXT                a line of progress
#   skip TEXT WHY            a check that this run cannot make, said aloud
#
# Checks run in the shell of the journey, so they may be functions. Lines go to descriptor 7, see run-journeys.

ORACLE=${ORACLE:-} CONTAINER_PACKAGE=${CONTAINER_PACKAGE:-yes}

say() { printf '%s\t%s\t%s\n' "$1" "${2//[$'\t\n']/ }" "${3//[$'\t\n']/ }" >&7; }
note() { say note "$*"; }
skip() { say skip "$1" "$2"; }

check() {
    local text=$1 output status
    shift
    output=$("$@" 2>&1 </dev/null) && { say ok "$JOURNEY: $text"; return 0; }
    status=$?
    say FAIL "$JOURNEY: $text" "exit $status$(tail -n 3 <<<"$output" | sed 's/^/; /' | tr -d '\n')"
    return 1
}

require() { check "$@" || { note "$JOURNEY ends here"; exit 1; }; }

eventually() {
    local limit=$1 end=$((SECONDS + $1)) output
    shift
    until output=$("$@" 2>&1); do
        [ $SECONDS -lt $end ] || { echo "not within $limit s: $*: $output"; return 1; }
        sleep 0.3
    done
    echo "$output"
}

observe() {
    local line name=$1
    if [ $# -gt 1 ]; then
        say observe "$name" "$2"
    else
        while IFS= read -r line; do say observe "$name" "$line"; done
    fi
}

equal() { [ "$1" = "$2" ] || { echo "“$1” instead of “$2”"; return 1; }; }
contains() { case $1 in *"$2"*) ;; *) echo "no “$2” in “$(tail -c 300 <<<"$1")”"; return 1 ;; esac }
not() { ! "$@" || { echo "succeeded: $*"; return 1; }; }

# with_package says whether commands of systemd-container are there; without it TEXT is printed as skipped.
with_package() {
    [ "$CONTAINER_PACKAGE" = yes ] && return 0
    skip "$JOURNEY: $1" "systemd-container is not installed"
    return 1
}

# --- units ---

unit() { echo "systemd-nspawn@$1.service"; }
show() { systemctl show --value -p "$2" "$(unit "$1")"; }
is_active() { equal "$(show "$1" ActiveState)" active; }
is_down() { case $(show "$1" ActiveState) in inactive | failed) ;; *) show "$1" ActiveState; return 1 ;; esac }
start() { systemctl start "$(unit "$1")" || { status "$1"; return 1; }; }
stop() { systemctl stop "$(unit "$1")"; }
status() { systemctl status --no-pager --full --lines=20 "$(unit "$1")" | tail -n "${2:-4}"; }
# unit_journal prints what was logged in the unit's own name since it was last started.
unit_journal() { journalctl --no-pager -q -o cat _SYSTEMD_INVOCATION_ID="$(show "$1" InvocationID)" + INVOCATION_ID="$(show "$1" InvocationID)"; }

# nspawn_file writes NAME.nspawn from standard input. systemd-nspawn has no [Unit], [Service] and [Install]: for the
# oracle they become what an administrator would do by hand, a drop-in and an enabled unit.
nspawn_file() {
    local file=/etc/systemd/nspawn/$1.nspawn dropin=/etc/systemd/system/$(unit "$1").d
    mkdir -p /etc/systemd/nspawn
    cat >"$file"
    if [ -n "$ORACLE" ]; then
        mkdir -p "$dropin"
        section 'Unit|Service' <"$file" >"$dropin/10-journey.conf"
        section 'Exec|Files|Network' <"$file" >"$file.new"
        if grep -q '^\[Install\]' "$file"; then systemctl -q enable "$(unit "$1")"; else systemctl -q disable "$(unit "$1")"; fi
        mv "$file.new" "$file"
    fi
}

# mend does what an administrator does before systemd-nspawn starts NAME again after it was killed. Not for ours.
mend() {
    [ -n "$ORACLE" ] || return 1
    note "mending by hand what systemd-nspawn left behind"
    umount "/run/systemd/nspawn/unix-export/$1"
    rmdir "/run/systemd/nspawn/unix-export/$1"
    ip link delete "ve-$1" 2>/dev/null
    systemctl reset-failed "$(unit "$1")"
    systemctl stop "$(unit "$1")"
    machinectl terminate "$1" 2>/dev/null
    sleep 1
    start "$1"
}

# web_file prints the one file that a user writes.
web_file() {
    cat <<'END'
[Exec]
NotifyReady=yes

[Network]
VirtualEthernet=yes

[Service]
MemoryMax=256M
CPUQuota=150%
WatchdogSec=40s

[Install]
WantedBy=machines.target
END
}

# section prints the sections of standard input whose names match.
section() { awk -v wanted="^\\\\[($1)\\\\]" '/^\[/ {on = $0 ~ wanted} on'; }

# --- inside a container ---

cgroup() { echo "/sys/fs/cgroup/machine.slice/$(unit "$1")"; }

# leader prints the container's init as the host numbers it: the process of its unit that is number 1 one level down.
leader() {
    local pid
    for pid in $(find "$(cgroup "$1")" -name cgroup.procs -exec cat {} + 2>/dev/null); do
        awk '/^NSpid:/ {found = NF == 3 && $3 == 1} END {exit !found}' "/proc/$pid/status" 2>/dev/null && { echo "$pid"; return 0; }
    done
    echo "no init in $(cgroup "$1")"
    return 1
}

# inside runs a command in all namespaces of a container, but in the journey's cgroup: `inside web systemd-run …` for
# what is to be limited.
inside() {
    local pid
    pid=$(leader "$1") || { echo "$pid"; return 1; }
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb nsenter --all --target "$pid" -- "${@:2}"
}

# is_booted: systemd inside has done all it had to do, whether all went well or not.
is_booted() {
    local state
    state=$(inside "$1" systemctl is-system-running 2>&1)
    case $state in running | degraded) ;; *) echo "$state"; return 1 ;; esac
}

# address prints host0's IPv4 address with its prefix length, host_address that of a link of the host.
address() { inside "$1" ip -4 -o addr show dev host0 scope global | awk '{print $4; exit}' | grep .; }
host_address() { ip -4 -o addr show dev "$1" scope global | awk '{print $4; exit}' | grep .; }

# up starts the container unless it runs, and waits until it has booted. A journey that is played alone gets its file.
up() {
    if [ "$1" = web ] && [ ! -e /etc/systemd/nspawn/web.nspawn ]; then
        web_file | nspawn_file web
        systemctl daemon-reload
    fi
    is_active "$1" >/dev/null || start "$1" || return 1
    eventually 200 is_booted "$1"
}

# tiny_is_up: the init of a container of one busybox has set its traps; one that is stopped earlier sleeps until the time-out.
tiny_is_up() { inside "$1" busybox test -e /run/up; }
tiny_up() { start "$1" && eventually 20 tiny_is_up "$1"; }

# --- the world outside ---

# outside_world lays a network beyond the host's uplink: 198.51.100.1 (host) — 198.51.100.2 (a web server that says
# who asks).
outside_world() {
    ip netns list | grep -q outside && return 0
    ip netns add outside
    ip link add uplink type veth peer name eth0 netns outside
    ip addr add 198.51.100.1/24 dev uplink
    ip link set uplink up
    ip route add default via 198.51.100.2
    ip -n outside addr add 198.51.100.2/24 dev eth0
    ip -n outside link set eth0 up
    ip -n outside link set lo up
    systemd-run -q --collect ip netns exec outside python3 /usr/lib/vmtest/who-asks.py 80
    eventually 60 curl -fsS --max-time 5 http://198.51.100.2/
}

# --- what a container leaves on the host ---

# traces prints every trace of containers on the host: what is the same before the first start and after the last stop.
traces() {
    awk '{print "mount " $5}' /proc/self/mountinfo | grep -E 'nspawn|machines' | sort
    ip -o link | awk -F'[:@] *' '$2 ~ /^(ve|vb|vz)-/ {print "link " $2}'
    nft list ruleset | awk '/^table/ {table = $2 " " $3} /elements = |(ve|vb|vz)-[a-z]/ {print "nft " table ": " $0}'
    find /sys/fs/cgroup/machine.slice -mindepth 1 -maxdepth 1 -type d -printf 'cgroup %f\n' 2>/dev/null
    find /run/systemd/machines /run/nspawnkit/machines /run/systemd/nspawn -mindepth 1 \
        ! -path /run/systemd/nspawn/locks ! -path /run/systemd/nspawn/propagate ! -path /run/systemd/nspawn/unix-export \
        -printf 'file %p\n' 2>/dev/null
    find /var/lib/machines -maxdepth 1 -name '.#*' -printf 'lock %p\n'
}

# clean compares the traces with those that the journey “boot” took before the first start; there were none without it.
clean() {
    local left
    left=$(traces | diff <(cat "$FILES/traces-before" 2>/dev/null) - | grep '^>')
    [ -z "$left" ] || { echo "left behind: $left"; return 1; }
}
