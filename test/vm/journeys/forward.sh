# --forward-journal=: journald of a container sends its entries to journal files of the host. It is an option without key, so it is
# added to the unit.

version=$(systemctl --version | awk 'NR == 1 {print $2}')
if [ "$version" -lt 256 ]; then skip "$JOURNEY: all" "journald of systemd $version does not forward"; exit 0; fi
if [ -n "$ORACLE" ] && [ "$version" -lt 261 ]; then skip "$JOURNEY: all" "systemd-nspawn $version has no --forward-journal="; exit 0; fi

require "the container boots" up web
stop web
rm -rf /srv/journal
dropin=/etc/systemd/system/$(unit web).d/90-forward.conf
mkdir -p "${dropin%/*}"
command=$(systemctl cat "$(unit web)" | grep ^ExecStart= | tail -n 1)
if [ -n "$ORACLE" ]; then
    mkdir -p /srv/journal
    command+=' --private-users=no' # to other users systemd-nspawn 262 gives a socket that they cannot connect to
fi
printf '[Service]\nExecStart=\n%s --forward-journal=/srv/journal\n' "$command" >"$dropin"
systemctl daemon-reload
require "it boots with its journal forwarded" up web
inside web sh -c 'echo said inside | systemd-cat -t journey'
forwarded() { journalctl --file='/srv/journal/*.journal' --no-pager -q -o cat "$@"; }
has_entry() { contains "$(forwarded -t journey)" "said inside"; }
check "what is logged inside is in a file of the host" eventually 60 has_entry
check "by the container's own name" contains "$(forwarded -o json -t journey)" "\"_HOSTNAME\":\"web\""
check "with what was logged at its start" contains "$(forwarded)" "Startup finished"
receivers() { pgrep -c -f 'systemd-journal-remote.*--output[= ]/srv/journal'; }
check "one systemd-journal-remote receives it" equal "$(receivers)" 1
check "it counts as part of the unit" contains "$(cat "$(cgroup web)"/{,*/}cgroup.procs 2>/dev/null)" "$(pgrep -f 'systemd-journal-remote.*--output[= ]/srv/journal' | head -n 1)"
stop web
check "it ends with the container" equal "$(receivers)" 0
check "the last entries came, too" contains "$(forwarded)" "Stopped"
if [ -z "$ORACLE" ]; then
    printf '[Service]\nExecStart=\n%s --forward-journal=/srv/journal\n' "$command" >"$dropin"
    mv /usr/lib/systemd/systemd-journal-remote /usr/lib/systemd/away
    check "without the program it does not start" not start web
    check "and says what to install" contains "$(status web 20)" "install the package systemd-journal-remote"
    mv /usr/lib/systemd/away /usr/lib/systemd/systemd-journal-remote
fi
rm -rf "$dropin" /srv/journal
systemctl daemon-reload
systemctl reset-failed "$(unit web)" 2>/dev/null
check "and as before without" up web
