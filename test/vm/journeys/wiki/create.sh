# “Create and boot a minimal Debian container”: a tree in one's home, a password, a boot, a login on the console, and the ways out.

tree=/root/debian
check "systemd-nspawn is nspawn-exec" equal "$(realpath "$(command -v systemd-nspawn)")" /usr/bin/nspawn-exec
[ -e $tree ] || cp -a /var/lib/machines/web $tree # mmdebstrap made it when this host was

check "systemd-nspawn -D: passwd sets root's password" types 120 "systemd-nspawn -D $tree" \
    '# ' 'passwd\r' '[Nn]ew.*password: ' 'secret\r' '[Rr]etype.*: ' 'secret\r' 'updated successfully' 'logout\r'
check "systemd-nspawn -D TREE COMMAND" equal "$(systemd-nspawn -q --pipe -D $tree id -u)" 0

note "booting it at a terminal"
types 300 "systemd-nspawn -b -D $tree" 'login: ' 'root\r' 'Password: ' 'secret\r' '~# ' 'systemctl is-system-running --wait\r' \
    'running|degraded' 'poweroff\r' >"$FILES/boot-at-terminal" &
typist=$!
check "systemd-nspawn -b -D is ours" eventually 60 by_ours debian
check "machinectl list shows it" contains "$(machinectl list --no-legend)" "debian"
wait $typist
check "one logs in on its console, and poweroff ends it" equal $? 0
check "the machine is gone" eventually 20 gone debian

output=$(types 300 "systemd-nspawn -b -D $tree" 'login: ' '\x1d\x1d\x1d')
check "Ctrl-] three times end it" contains "$output" "ontainer debian terminated by signal KILL"
check "the machine is gone then, too" eventually 20 gone debian
check "nothing is left" eventually 20 clean
