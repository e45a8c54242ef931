# What the scripts of all packages share: packaging/build puts it in front of each.
set -e

# systemd_runs: this is no chroot, no image that is being built, no host with another init.
systemd_runs() { [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; }

# read_again tells those of our files who read them only when they start.
read_again() {
    systemd_runs || return 0
    systemctl daemon-reload || true
    if systemctl -q is-active NetworkManager.service; then systemctl reload NetworkManager.service || true; fi
}

set_up() {
    if command -v systemd-tmpfiles >/dev/null; then
        systemd-tmpfiles ${DPKG_ROOT:+--root="$DPKG_ROOT"} --create nspawnkit.conf || true
    fi
    read_again
}

# restart_network: containers run on, and keep their network meanwhile.
restart_network() {
    systemd_runs || return 0
    manage try-restart networkd-lite.service || true
}

# is_ours says whether the process $1 is nspawn-exec, also one whose file was removed or replaced.
is_ours() {
    case $(readlink "/proc/$1/exe") in /usr/bin/nspawn-exec | "/usr/bin/nspawn-exec (deleted)") ;; *) return 1 ;; esac
}

# our_units prints the units whose containers nspawn-exec runs.
our_units() {
    systemctl list-units --full --plain --no-legend 'systemd-nspawn@*.service' | while read -r unit rest; do
        if is_ours "$(systemctl show --value -p MainPID "$unit")"; then echo "$unit"; fi
    done
}

# leave stops what runs, as systemd-container does when it is removed: without the programs a container would keep neither its
# address nor the rules that guard the host. Containers that systemd-nspawn runs are not ours to stop.
leave() {
    systemd_runs || return 0
    # shellcheck disable=SC2046
    set -- $(our_units)
    if [ $# -gt 0 ]; then
        echo "nspawnkit: stopping $*" >&2
        manage stop "$@" || true
    fi
    manage stop networkd-lite.service || true
    # Without containers of ours nobody needs the rules, also where it left some for those of systemd-nspawn.
    [ -n "$(our_process)" ] || /usr/bin/networkd-lite --cleanup || true
}

# our_process prints the number of a process that runs a container.
our_process() {
    for process in /proc/[0-9]*; do
        if is_ours "${process#/proc/}"; then
            echo "${process#/proc/}"
            return 0
        fi
    done
}

# forget_runtime removes what only running containers need, unless one was started by hand and still runs.
forget_runtime() {
    process=$(our_process)
    if [ -n "$process" ]; then
        echo "nspawnkit: process $process still runs a container: /run/nspawnkit and its network stay until the host is restarted" >&2
        return 0
    fi
    rm -rf --one-file-system /run/nspawnkit
    # Both use these.
    [ -e /usr/bin/systemd-nspawn ] || rm -rf --one-file-system /run/systemd/nspawn /run/systemd/nspawn-uid
    # It is iptables-legacy's, we made it for hosts where that has not run yet.
    command -v iptables-legacy >/dev/null || rm -f /run/xtables.lock
}

# unlink_ours removes what `systemctl enable` linked to our template, and to no other, because the host had none.
unlink_ours() {
    find "${DPKG_ROOT:-}/etc/systemd/system" "$@" -lname '/usr/lib/nspawnkit/*' -delete
}

# forget_units removes links that would hide a unit from systemd once its template is another, or none.
forget_units() { unlink_ours -maxdepth 1; }

# forget_enabled removes links by which units start at boot. With the template of systemd-container they still do: names count, not where
# a link leads.
forget_enabled() {
    [ ! -e "${DPKG_ROOT:-}/usr/lib/systemd/system/systemd-nspawn@.service" ] || return 0
    unlink_ours
    rmdir "${DPKG_ROOT:-}/etc/systemd/system/machines.target.wants" 2>/dev/null || true
}
