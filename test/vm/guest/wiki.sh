# What the journeys of the wiki page share. They type what the page has; `systemd-nspawn` is the link of -Dreplace=true.
#
#   types SECONDS COMMAND [PATTERN ANSWER]…   a user at a terminal, see type.py
#   by_ours NAME                              who runs the container NAME is nspawn-exec, whatever name it was called by
#   settings NAME [TEXT]                      writes /etc/systemd/nspawn/NAME.nspawn from TEXT, or from standard input
#   forget NAME…                              removes containers that a journey made, and their settings

types() { python3 /usr/lib/vmtest/type.py "$@"; }

supervisor() { awk '/^PPid:/ {print $2}' "/proc/$(machinectl show --value -p Leader "$1")/status"; }
by_ours() { equal "$(readlink "/proc/$(supervisor "$1")/exe")" /usr/bin/nspawn-exec; }

settings() {
    mkdir -p /etc/systemd/nspawn
    if [ $# -gt 1 ]; then printf '%s\n' "$2"; else cat; fi >"/etc/systemd/nspawn/$1.nspawn"
    systemctl daemon-reload
}

gone() { not machinectl show "$1"; }

# a_copy makes the container NAME of the tree OF, tiny unless said.
a_copy() { [ -e "/var/lib/machines/$1" ] || cp -a "/var/lib/machines/${2:-tiny}" "/var/lib/machines/$1"; }

forget() {
    local name
    for name in "$@"; do
        systemctl stop "$(unit "$name")" 2>/dev/null
        systemctl reset-failed "$(unit "$name")" 2>/dev/null
        rm -rf "/var/lib/machines/$name" "/etc/systemd/nspawn/$name.nspawn" "/etc/systemd/system/$(unit "$name").d" "/etc/systemd/system.control/$(unit "$name").d"
    done
    systemctl daemon-reload
}
