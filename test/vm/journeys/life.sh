# Restarts, power-off, stop in order, stop by force, a killed supervisor: nothing is left behind and the next start works.

require "web is up" up web
first_address=$(address web)
root=/var/lib/machines/web
another_leader() { leader web >/dev/null && not equal "$(leader web)" "$1"; }
# journal_inside prints what the container itself logged since its latest boot.
journal_inside() { journalctl --no-pager -q -o cat -D $root/var/log/journal -b; }

# --- reboot and power-off from inside ---
note "reboot inside"
before=$(leader web)
inside web systemctl reboot
check "reboot inside starts it again" eventually 120 another_leader "$before"
check "and it boots" eventually 200 is_booted web
check "in the same unit, which is active" is_active web
check "with the same address" equal "$(eventually 60 address web)" "$first_address"
note "power-off inside"
inside web systemctl poweroff
check "poweroff inside ends the unit" eventually 120 is_down web
check "cleanly" equal "$(show web ActiveState) $(show web Result)" "inactive success"
check "nothing is left" eventually 10 clean

# --- stop in order ---
require "it starts again" up web
note "systemctl stop"
check "systemctl stop" stop web
check "ends the unit cleanly" equal "$(show web ActiveState) $(show web Result)" "inactive success"
check "systemd inside was told by SIGRTMIN+3 and shut down in order" contains "$(journal_inside)" "System Halt"
check "nothing is left after the stop" eventually 10 clean

# --- two at once ---
if with_package "machinectl start, twice at once"; then
    machinectl start web &
    check "machinectl start" machinectl start web
    wait $! # here: the shell of a check has no children
    check "a second one at the same time" equal $? 0
    check "one container runs" equal "$(machinectl list --no-legend | grep -c '^web ')" 1
else
    start web
fi
require "it runs" leader web

# --- a name in use: what systemd-nspawn does then is in docs/differences.md, and would be in the way of what follows ---
if [ -z "$ORACLE" ]; then
    init=$(leader web)
    second=$(nspawn-exec --quiet --register=no --pipe -D /var/lib/machines/tiny -M web /bin/true 2>&1)
    check "a second container of the name is refused" contains "$second" "machine web is running already: process $(show web MainPID) runs it from $root"
    check "the first runs on" equal "$(leader web)" "$init"
    check "with its link" ip link show ve-web
fi

# --- stop by force: an init that does not answer ---
mkdir -p /run/systemd/system/"$(unit web)".d
printf '[Service]\nTimeoutStopSec=5s\n' >/run/systemd/system/"$(unit web)".d/stop.conf
systemctl daemon-reload
kill -STOP "$(leader web)"
note "stop while the container's init sleeps"
began=$SECONDS
check "systemctl stop of an init that does not answer" eventually 1 stop web
check "ends by force after the time-out" equal "$(show web Result)" timeout
check "which was 5 s" test $((SECONDS - began)) -lt 30
check "nothing is left after the force" eventually 10 clean
rm -r /run/systemd/system/"$(unit web)".d
systemctl daemon-reload
systemctl reset-failed "$(unit web)"

# --- the supervisor dies ---
check "it starts again after the force" start web || mend web || exit
require "it boots again" eventually 200 is_booted web
note "kill -9 of the supervisor"
init=$(leader web)
kill -9 "$(show web MainPID)"
check "kill -9 of the supervisor ends the unit" eventually 60 is_down web
check "and the container's init" not test -d "/proc/$init"
check "nothing is left after the kill" eventually 10 clean
check "it starts again at once" start web || mend web || exit
check "and boots" eventually 200 is_booted web
check "with the same address as ever" equal "$(eventually 60 address web)" "$first_address"

# --- out of memory ---
note "a process inside takes more memory than MemoryMax= allows, and all processes go with it"
echo 1 >"$(cgroup web)/payload/memory.oom.group"
inside web systemd-run --quiet tail /dev/zero
check "out of memory ends the unit" eventually 120 is_down web
check "as a failure" equal "$(show web Result)" exit-code
check "systemctl status says that it was the limit of memory" contains "$(status web 30)" "it has reached its limit of memory (MemoryMax= of its unit)"
check "nothing is left after that" eventually 10 clean
systemctl reset-failed "$(unit web)"
check "it starts again after it ran out of memory" start web || mend web || exit
eventually 200 is_booted web >/dev/null

# --- the init dies ---
note "a signal kills the container's init"
kill -KILL "$(leader web)"
check "the end of its init ends the unit" eventually 60 is_down web
check "as a failure, too" equal "$(show web Result)" exit-code
check "systemctl status names the signal" contains "$(status web 30)" "terminated by signal KILL"
systemctl reset-failed "$(unit web)"

# --- an init that feeds the watchdog, and then hangs; systemd-nspawn does not notice ---
if [ -z "$ORACLE" ]; then
    note "an init that stops to say that it lives"
    systemd-run --quiet --unit=hang --service-type=notify --property=NotifyAccess=all --property=WatchdogSec=5s \
        nspawn-exec --quiet --register=no --keep-unit --notify-ready=yes --private-network --read-only -M hang -D $root /usr/bin/python3 -c '
import os, socket, time
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.connect(os.environ["NOTIFY_SOCKET"])
manager.send(b"READY=1")
for _ in range(12):
    manager.send(b"WATCHDOG=1")
    time.sleep(1)
time.sleep(1000)'
    sleep 10
    check "it runs as long as it says so" equal "$(systemctl is-active hang)" active
    failed() { equal "$(systemctl show --value -p ActiveState hang) $(systemctl show --value -p Result hang)" "failed watchdog"; }
    check "and is ended when it hangs" eventually 30 failed
    systemctl reset-failed hang
fi
check "web starts as before" start web || mend web || exit
check "and boots as before" eventually 200 is_booted web
