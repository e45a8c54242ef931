# What has been edited, what it takes to be in force, and that this is so.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "there is no such thing for systemd-nspawn"; exit 0; fi
file=/etc/systemd/nspawn/tiny.nspawn
mkdir -p /etc/systemd/nspawn
write() { printf '[Exec]\nHostname=%s\n[Network]\nPrivate=yes\n[Service]\nMemoryMax=%s\nTimeoutStopSec=%s\n' "$@" >$file; }
planned() { nspawn-generator diff tiny; }
planned_for() { planned | grep -F " $1=" ; }

write first 64M 20s
systemctl daemon-reload
require "tiny starts" tiny_up tiny
check "after daemon-reload and start nothing differs" equal "$(planned)" ""

write first 96M 20s
check "an edited limit is told with file and line" contains "$(planned_for MemoryMax)" "$file:6"
check "as live" contains "$(planned_for MemoryMax)" live
check "with both values" contains "$(planned_for MemoryMax)" "64M"
# commands runs what diff says is to be typed: one line, the last.
commands() { eval "$(planned | tail -n 1)"; }
check "the commands are there to be copied" contains "$(planned | tail -n 1)" "systemctl daemon-reload"
check "and work" commands
limited() { equal "$(cat "$(cgroup tiny)/memory.max")" "$1"; }
check "and it is" eventually 10 limited 100663296
check "then nothing differs" equal "$(planned)" ""

write first 96M 30s
check "a time-out counts after daemon-reload" contains "$(planned_for TimeoutStopSec)" daemon-reload
systemctl daemon-reload
check "and it does" equal "$(show tiny TimeoutStopUSec)" 30s

write second 96M 30s
check "a key of the container takes a restart" contains "$(planned_for Hostname)" restart
check "the command is there to be copied" contains "$(planned | tail -n 1)" "systemctl restart systemd-nspawn@tiny"
check "and works" commands
eventually 20 tiny_is_up tiny
check "and brings it in force" equal "$(inside tiny busybox hostname)" second
check "then nothing differs" equal "$(planned)" ""

printf '[Exec]\nHostname=b@d\nNesting=maybe\n' >$file
check "of a file that would not start it says so" contains "$(planned 2>&1)" "$file:3"
check "the container runs on" is_active tiny
stop tiny
rm $file
systemctl daemon-reload
check "the record of the start is gone" not test -e /run/nspawnkit/settings/tiny.json
