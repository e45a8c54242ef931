# One dropped file becomes a booted container with its own users, and the host's tools see it.

traces >"$FILES/traces-before"

web_file | nspawn_file web
systemctl daemon-reload
note "starting web, a Debian $(. /etc/os-release; echo "${VERSION_CODENAME:-}"), NotifyReady=yes"
require "systemctl start systemd-nspawn@web" start web
require "the start returned once the container's init said READY" is_booted web
check "the unit is active" is_active web
observe "state inside after boot" "$(inside web systemctl is-system-running)"
observe "failed units inside" "$(inside web systemctl list-units --failed --plain --no-legend | awk '{printf "%s ", $1}')"

# --- the tools of the host ---
if with_package "machinectl list, status, shell; journalctl, systemctl, systemd-run and systemd-cgls -M"; then
    check "machinectl list shows web" contains "$(machinectl list --no-legend)" "web container"
    check "machinectl status names unit and leader" contains "$(machinectl status --no-pager web)" "Leader: $(leader web) "
    check "machinectl shell web /bin/cat /etc/os-release" contains "$(machinectl -q shell web /bin/cat /etc/os-release)" "ID=debian"
    check "journalctl -M web" contains "$(journalctl -M web --no-pager -q -b)" "Startup finished"
    check "systemctl -M web is-active dbus" systemctl -M web is-active dbus
    check "systemd-run -M web" equal "$(systemd-run -M web -q --wait --pipe cat /proc/1/comm)" systemd
    check "systemd-cgls -M web" contains "$(systemd-cgls -M web --no-pager)" "init.scope"
    check "machinectl shows the container's address class" equal "$(machinectl show web -p Class --value)" container
    script -qec "machinectl login web" /dev/null < <(sleep 60) >/dev/null 2>&1 &
    login=$!
    getty() { contains "$(inside web pgrep -af agetty)" "$1"; }
    if [ -n "$ORACLE" ]; then
        check "machinectl login starts a getty" eventually 40 getty "- vt220"
    else
        check "machinectl login starts a getty that knows of colors" eventually 40 getty "- xterm-256color"
    fi
    kill $login
    systemctl -M web stop 'container-getty@*'
fi

# --- users: a namespace of its own, nothing changed on disk ---
root=/var/lib/machines/web
uid_shift() { awk '$1 == 0 {print $2}' "/proc/$(leader web)/uid_map"; }
check "a user namespace of 65536 users" equal "$(awk '{print $1, $3}' "/proc/$(leader web)/uid_map")" "0 65536"
check "root inside is another user outside" not equal "$(uid_shift)" 0
check "init runs as that user" equal "$(stat -c %u "/proc/$(leader web)")" "$(uid_shift)"
check "the root file system is id-mapped" contains "$(inside web awk '$5 == "/"' /proc/self/mountinfo)" idmapped
check "root owns the files inside" equal "$(inside web stat -c %u:%g /etc /usr/bin/su | sort -u)" 0:0
check "and on disk: nothing was chowned" equal "$(find $root -xdev -uid +65535 | head -n 3)$(stat -c %u:%g $root $root/etc)" $'0:0\n0:0'
check "a file made inside belongs to root on disk" equal "$(inside web touch /root/made-inside; stat -c %u $root/root/made-inside)" 0

# --- the journal, as --link-journal=try-guest says ---
machine=$(inside web cat /etc/machine-id)
check "the container has a machine id of its own" not equal "$machine" "$(cat /etc/machine-id)"
check "its journal is linked into the host's" equal "$(readlink "/var/log/journal/$machine")" "$root/var/log/journal/$machine"
check "the host reads it there" contains "$(journalctl -D "/var/log/journal/$machine" --no-pager -q -b)" "Startup finished"

# --- what else is compared with systemd-nspawn ---
dashed=$(sed -E 's/(.{8})(.{4})(.{4})(.{4})/\1-\2-\3-\4-/' <<<"$machine")
masked() { sed -E "s/$machine|$dashed/MACHINE/g; s/$(uid_shift)/SHIFT/g; s/$(cat /proc/sys/kernel/random/boot_id)/BOOT/g"; }
tabs() { tr '\t' ' '; }
links() { sed -E 's/^[0-9]+: ([^:@]*)(@if[0-9]+)?: <([^>]*)> (mtu [0-9]+).*(link\/[a-z]+ [0-9a-f:]+).*/\1 \3 \4 \5/'; }
mounts() { # PATH TYPE OPTIONS of every mount inside
    inside web awk '{split($0, parts, " - "); split(parts[2], tail, " "); gsub(/(^|,)(relatime|idmapped)/, "", $6); print $5, tail[1], $6}' \
        /proc/1/mountinfo | grep -v '^/run/credentials/' | sort
}
mounts | cut -d' ' -f1,2 | observe "mounts inside"
mounts | observe "mount options inside"
environment() { tr '\0' '\n' <"/proc/$(leader web)/environ" | masked | sed -E 's/(invocation|INVOCATION_ID)=.*/\1=…/' | sort; }
environment | grep -v -e ^TERM= -e ^WATCHDOG_ | observe "environment of init"
[ -n "$ORACLE" ] || check "its init is told of the watchdog" equal "$(environment | grep ^WATCHDOG_ | tr '\n' ' ')" "WATCHDOG_PID=1 WATCHDOG_USEC=40000000 "
observe "terminal type of init" "$(environment | grep ^TERM=)"
tr '\0' ' ' <"/proc/$(leader web)/cmdline" | observe "command line of init"
grep -E '^(Cap[PEBA]|NoNewPrivs|Seccomp:)' "/proc/$(leader web)/status" | tabs | observe "capabilities of init"
grep CapInh "/proc/$(leader web)/status" | tabs | observe "inheritable capabilities of init"
inside web sh -c 'cd /dev && find . ! -path "./pts/*" -printf "%P %M %l\n"' | sort | observe "/dev inside"
inside web sh -c 'cd /run/host && find . ! -path "./incoming/*" -printf "%P %M %l\n"' | masked | sort | observe "/run/host inside"
inside web sh -c 'find /dev /run/host ! -path "/dev/pts/*" ! -path "/run/host/incoming/*" -printf "%p %u:%g\n"' | sort | observe "owners in /dev and /run/host"
inside web sh -c 'cd /run/host && grep -r . container-manager container-uuid' | masked | observe "/run/host/container-*"
inside web hostname | observe "host name inside"
inside web readlink /etc/localtime | observe "time zone inside"
inside web sh -c 'ls -l /etc/resolv.conf' | sed 's/.*resolv.conf/resolv.conf/' | observe "resolv.conf inside"
inside web ip -o link | links | observe "links inside"
ip -o link show dev ve-web | links | observe "link on the host"
find "$(cgroup web)" -maxdepth 2 -type d -printf '%P %u:%g\n' | masked | sort | observe "control groups"
observe "status text of the unit" "$(show web StatusText)"
systemctl show "$(unit db)" -p Type -p Slice -p Delegate -p TasksMax -p DevicePolicy -p KillMode -p KillSignal -p WatchdogUSec \
    -p RestartForceExitStatus -p SuccessExitStatus -p NotifyAccess -p TimeoutStopUSec -p TimeoutStartUSec -p Restart \
    -p OOMPolicy -p PartOf -p RequiresMountsFor | sort | observe "properties of a unit without a file"
systemctl show "$(unit db)" --value -p DeviceAllow | tr ' ' '\n' | sort | xargs | observe "devices that a unit may use"
inside web sh -c 'cat /proc/self/limits' | sed -E 's/ +/ /g' | observe "resource limits inside"
inside web sh -c 'cd /proc/sys && for f in kernel/hostname net/ipv4/ip_forward kernel/domainname; do [ -w $f ] && echo $f writable || echo $f read-only; done' | observe "sysctls inside"
for name in ipc mnt net pid user uts cgroup time; do
    equal "$(readlink "/proc/$(leader web)/ns/$name")" "$(readlink /proc/self/ns/$name)" >/dev/null || echo "$name"
done | observe "namespaces of its own"
[ "$CONTAINER_PACKAGE" = yes ] && machinectl show web -p Name -p Class -p Service -p Unit -p RootDirectory -p State -p NetworkInterfaces | sed 's/NetworkInterfaces=.*/NetworkInterfaces=…/' | sort | observe "what machined knows"

# everything in full, kept with the logs
mkdir -p "$FILES/web"
inside web cat /proc/1/mountinfo >"$FILES/web/mountinfo"
tr '\0' '\n' <"/proc/$(leader web)/environ" >"$FILES/web/environ"
cat "/proc/$(leader web)/status" >"$FILES/web/status"
inside web cat /proc/self/limits >"$FILES/web/limits"
inside web ip -d addr >"$FILES/web/ip-inside"
ip -d addr >"$FILES/web/ip-host"
inside web find /dev /run/host -ls >"$FILES/web/dev-and-run-host"
inside web sh -c 'cd /run/host && for f in container-* os-release; do echo "== $f"; cat $f; done' >"$FILES/web/run-host"
inside web sysctl -a >"$FILES/web/sysctl" 2>&1
inside web systemctl --no-pager list-units --all >"$FILES/web/units"
inside web systemctl --no-pager --failed >"$FILES/web/failed"
systemctl show "$(unit web)" >"$FILES/web/unit"
systemctl status --no-pager "$(unit web)" >"$FILES/web/systemctl-status"
find "$(cgroup web)" -ls >"$FILES/web/cgroup"
inside web cat /proc/self/cgroup /proc/1/cgroup >"$FILES/web/cgroup-inside"
nft list ruleset >"$FILES/web/nft"
find /run/systemd/nspawn /run/systemd/machines /run/host -ls >"$FILES/web/run-on-host" 2>&1
cat /run/systemd/machines/* >"$FILES/web/machine" 2>&1
grep . /proc/sys/net/ipv4/conf/*/{forwarding,rp_filter,route_localnet} /proc/sys/net/ipv6/conf/*/{accept_ra,forwarding} >"$FILES/web/net-sysctl"
find "/proc/$(show web MainPID)/fd" -ls >"$FILES/web/supervisor-fd"
traces >"$FILES/web/traces"
[ "$CONTAINER_PACKAGE" = yes ] && { machinectl status --no-pager web; machinectl show web; machinectl list; } >"$FILES/web/machinectl"
true
