# “systemd toolchain”: the tools of the host look into a container.

require "db is up" up db
check "it is ours" by_ours db
check "journalctl -M" contains "$(journalctl -M db --no-pager -q -b)" "Startup finished"
check "systemd-cgls -M" contains "$(systemd-cgls -M db --no-pager)" init.scope
check "systemd-analyze -M" contains "$(systemd-analyze -M db time)" "Startup finished"
check "systemd-analyze -M blame" contains "$(systemd-analyze -M db blame --no-pager)" .service
check "systemctl -M" systemctl -M db is-active dbus
check "systemctl -M restart of a service" systemctl -M db restart systemd-logind
check "systemctl list-machines" contains "$(systemctl list-machines --no-legend --no-pager)" db
check "systemd-run -M" equal "$(systemd-run -q -M db --wait --pipe hostname)" db
# systemd-run of 252 ends here without a word, also with systemd-nspawn.
. /etc/os-release
[ "$VERSION_ID" = 12 ] || check "systemd-run -M --pty" contains "$(types 60 'systemd-run -q -M db --pty --wait /bin/cat /proc/1/comm; echo ended with $?')" systemd
check "loginctl -M" loginctl -M db list-sessions --no-pager
check "busctl -M" contains "$(busctl -M db list --no-pager)" org.freedesktop.systemd1
check "hostnamectl -M" contains "$(hostnamectl -M db status)" "Chassis: container"
check "timedatectl -M" contains "$(timedatectl -M db show)" Timezone=
check "systemd-cgtop shows its unit" contains "$(systemd-cgtop --batch --iterations=1 --raw)" "machine.slice/systemd-nspawn@db.service"
# That of sid finds none, of systemd-nspawn's neither.
[ -z "${VERSION_ID:-}" ] || check "ps has a column for machines" contains "$(ps -e -o machine= -o comm=)" "db "
check "its processes have the name of the host's unit" contains "$(ps -p "$(leader db)" -o unit=)" systemd-nspawn@
stop db
