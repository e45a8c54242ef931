# What `make demo` shows: one file, one command, a container; every command with its real output. On a host that is not a
# virtual one (test/vm/demo) the container has another name, and $DEMO_SERVER is the server to be asked.

web=${DEMO_CONTAINER:-web}

play() {
    printf 'out\t\t\n' >&7
    say out "# $*"
    eval "$*" 2>&1 </dev/null | head -n 30 | while IFS= read -r line; do say out "${line:0:150}"; done
}

systemctl start networkd-lite.service
[ -n "${DEMO_SERVER:-}" ] || outside_world >/dev/null
play "systemctl is-active systemd-networkd; ls /var/lib/machines"
web_file | nspawn_file "$web"
play "cat /etc/systemd/nspawn/$web.nspawn"
play "systemctl daemon-reload"
note "the next command returns when systemd inside says READY"
play "systemctl start systemd-nspawn@$web"
require "$web has booted" is_booted "$web"
play "machinectl list"
play "systemctl status --no-pager --lines=0 systemd-nspawn@$web | head -n 14"
play "systemctl -M $web is-system-running"
play "machinectl -q shell $web /bin/cat /etc/os-release | head -n 3"
check "host0 has an address" eventually 60 address "$web"
play "ip -4 addr show dev ve-$web"
if systemctl -q is-active systemd-networkd; then
    play "networkctl status --no-pager --lines=0 ve-$web" # there the links are its own
else
    play "networkd-lite status"
    play "networkd-lite leases"
fi
if [ -n "${DEMO_SERVER:-}" ]; then
    note "the way out: the archive that the host's own packages come from, if it is reached"
    play "systemd-run -M $web -q --wait --pipe curl -sSI --max-time 20 $DEMO_SERVER | head -n 1"
else
    note "a server beyond the host's uplink says who asks: the host's address, by NAT"
    play "systemd-run -M $web -q --wait --pipe curl -sS http://198.51.100.2/; echo"
fi
play "cat /proc/$(leader "$web")/uid_map; stat -c '%U %n' /var/lib/machines/$web/etc/passwd"
play "cd $(cgroup "$web"); grep . memory.max cpu.max"
note "a process inside wants 400 M"
play "systemd-run -M $web -q --wait -p MemorySwapMax=0 python3 -c 'hog = b\"x\" * (400 << 20)'; echo exit \$?; systemctl is-active systemd-nspawn@$web"
play "systemctl set-property systemd-nspawn@$web CPUQuota=50%; cat $(cgroup "$web")/cpu.max"
note "reboot inside"
before=$(leader "$web")
play "systemctl -M $web reboot"
another_leader() { leader "$web" >/dev/null && not equal "$(leader "$web")" "$before"; }
check "it is back" eventually 120 another_leader
check "and boots" eventually 200 is_booted "$web"
note "kill -9 of the supervisor"
play "systemctl kill -s KILL --kill-whom=main systemd-nspawn@$web; sleep 2; systemctl is-active systemd-nspawn@$web"
play "systemctl start systemd-nspawn@$web && systemctl is-active systemd-nspawn@$web"
play "systemctl stop systemd-nspawn@$web; ip -o link | grep -c ve-$web; grep -c 'nspawn.*/$web' /proc/self/mountinfo"
