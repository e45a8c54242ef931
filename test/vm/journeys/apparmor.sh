# packages: apparmor
# What docs/selinux-apparmor.md says of hosts with AppArmor: profiles of the host hold for programs of containers, and one of a container
# holds for all of it and keeps those of the host out. Played by name only.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-nspawn is not asked"; exit 0; fi
require "AppArmor is on" grep -q Y /sys/module/apparmor/parameters/enabled
label() { tr -d '\0' <"/proc/$1/attr/current"; }
machine=/var/lib/machines/armored
says() { equal "$(cat "$machine/$1")" "$2"; }

# Its init says under which profile a program runs of which the host has one.
cp -a /var/lib/machines/tiny $machine
cp $machine/bin/busybox $machine/bin/busybox-served
echo secret >$machine/secret
cat >$machine/sbin/init <<'INIT'
#!/bin/sh
trap "exit 0" 37 TERM
/bin/busybox-served cat /proc/self/attr/current >/current
/bin/busybox-served cat /secret >/read 2>&1
: >/run/up
while :; do busybox sleep 3600 & wait; done
INIT
apparmor_parser --replace <<'PROFILE'
profile served /bin/busybox-served flags=(attach_disconnected) {
  file,
  capability,
  signal,
  deny /secret r,
}
PROFILE

require "it starts" tiny_up armored
check "nspawn-exec is not confined" equal "$(label "$(show armored MainPID)")" unconfined
check "nor is init" equal "$(label "$(leader armored)")" unconfined
check "a profile of the host holds for the program" says current 'served (enforce)'
check "inside, too" says read "cat: can't open '/secret': Permission denied"
stop armored

awk '/^    abi <abi/ {on = 1} on && /^    }/ {print; exit} on' /usr/lib/vmtest/selinux-apparmor.md | sed 's/^    //' >/etc/apparmor.d/nspawnkit-container
check "the profile of the documentation is one" apparmor_parser --replace /etc/apparmor.d/nspawnkit-container
printf '[Service]\nAppArmorProfile=nspawnkit-container\n' | nspawn_file armored
systemctl daemon-reload
require "it starts" tiny_up armored
check "under the profile" equal "$(label "$(show armored MainPID)")" 'nspawnkit-container (enforce)'
check "as does its init" equal "$(label "$(leader armored)")" 'nspawnkit-container (enforce)'
check "and the program" says current 'nspawnkit-container (enforce)'
check "which that of the host does not reach" says read secret
check "it has an address" eventually 30 host_address ve-armored
check "it stops" stop armored
check "as ever" equal "$(show armored ActiveState) $(show armored Result)" "inactive success"
check "nothing was denied but that" equal "$(journalctl -k -q --no-pager -o cat --grep 'apparmor="DENIED"' | grep -v 'profile="served"')" ""
