# Two links to /dev/null, and the distribution's systemd-nspawn serves all containers again.

with_package "opting out" || exit 0
if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "there is nothing to opt out of"; exit 0; fi
runs() { systemctl show --value -p ExecStart "$(unit tiny)"; }
program() { readlink "/proc/$(show tiny MainPID)/exe"; }
printf '[Network]\nPrivate=yes\n[Service]\nMemoryMax=64M\n' | nspawn_file tiny
systemctl daemon-reload
require "a container runs by nspawn-exec" tiny_up tiny
stop tiny
ln -s /dev/null /etc/systemd/system-generators/nspawn-generator 2>/dev/null ||
    { mkdir -p /etc/systemd/system-generators; ln -s /dev/null /etc/systemd/system-generators/nspawn-generator; }
mkdir -p /etc/systemd/system/systemd-nspawn@.service.d
ln -s /dev/null /etc/systemd/system/systemd-nspawn@.service.d/00-nspawn-exec.conf
systemctl daemon-reload
check "the unit is the distribution's" not contains "$(runs)" nspawn-exec
check "and has nothing of the file's [Service]" equal "$(show tiny MemoryMax)" infinity
check "the container starts" start tiny
check "by systemd-nspawn" contains "$(program)" /systemd-nspawn
systemctl kill -s KILL "$(unit tiny)"
eventually 20 is_down tiny
rm /etc/systemd/system-generators/nspawn-generator /etc/systemd/system/systemd-nspawn@.service.d/00-nspawn-exec.conf
umount -q /run/systemd/nspawn/unix-export/tiny; rm -rf /run/systemd/nspawn/unix-export/tiny
systemctl daemon-reload
systemctl reset-failed "$(unit tiny)" 2>/dev/null
check "without the links nspawn-exec is back" contains "$(runs)" nspawn-exec
check "and starts what systemd-nspawn left behind" start tiny
check "by nspawn-exec" contains "$(program)" /nspawn-exec
stop tiny
rm /etc/systemd/nspawn/tiny.nspawn
systemctl daemon-reload
