# “machinectl”: every command of the page's list.

echo root:secret | chroot /var/lib/machines/db chpasswd
chroot /var/lib/machines/db useradd -m -s /bin/bash user 2>/dev/null
require "machinectl start" machinectl start db
require "db boots" eventually 300 is_booted db
check "it is ours" by_ours db
check "machinectl shell" types 60 "machinectl shell db" '# ' 'exit\r'
check "machinectl shell user@db" contains "$(machinectl -q shell user@db /usr/bin/id -un)" user
check "machinectl shell --uid=user db" contains "$(machinectl -q shell --uid=user db /usr/bin/id -un)" user
check "machinectl enable" machinectl enable db
check "systemctl knows it" equal "$(systemctl is-enabled "$(unit db)")" enabled
check "machinectl disable" machinectl disable db
check "systemctl knows that, too" not systemctl -q is-enabled "$(unit db)"
check "machinectl status" contains "$(machinectl status --no-pager db)" "$(unit db)"
check "machinectl show" equal "$(machinectl show --value -p State db)" running
check "machinectl list" contains "$(machinectl list --no-legend)" "db "
check "machinectl list-images" contains "$(machinectl list-images --no-legend)" "db "
check "machinectl image-status" contains "$(machinectl image-status --no-pager db)" /var/lib/machines/db

echo hello >/root/for-db
check "machinectl copy-to" machinectl copy-to db /root/for-db /root/from-host
check "the container has it" equal "$(inside db cat /root/from-host)" hello
check "machinectl copy-from" machinectl copy-from db /root/from-host /root/from-db
check "the host has it" equal "$(cat /root/from-db)" hello

# Last: the getty that it starts wants its terminal back as soon as there is one of that number again, as that of a shell.
check "machinectl login" types 120 "machinectl login db" 'login: ' 'root\r' 'Password: ' 'secret\r' '~# ' 'echo term=$TERM\r' \
    'term=xterm-256color' 'logout\r' 'login: ' '\x1d\x1d\x1d'

another() { leader db >/dev/null && not equal "$(leader db)" "$before"; }
before=$(leader db)
check "machinectl reboot" machinectl reboot db
check "starts it again" eventually 120 another
require "it boots" eventually 300 is_booted db
check "by ours" by_ours db
check "machinectl poweroff" machinectl poweroff db
check "ends it" eventually 120 is_down db
check "machinectl start again" machinectl start db
require "it boots a third time" eventually 300 is_booted db
check "machinectl kill --signal=RTMIN+4 powers it off" machinectl kill --kill-whom=leader --signal=RTMIN+4 db
check "as poweroff does" eventually 120 is_down db
check "cleanly" equal "$(show db Result)" success

settings tiny <<<$'[Exec]\nPrivateUsers=no\n[Network]\nPrivate=yes'
mkdir -p /var/lib/machines/tiny/mnt
require "a container without users of its own" tiny_up tiny
check "machinectl bind" machinectl bind tiny /root /mnt
check "the container sees it" equal "$(inside tiny busybox cat /mnt/for-db)" hello
check "machinectl terminate" machinectl terminate tiny
check "ends it at once" eventually 20 is_down tiny
check "nothing is left" eventually 20 clean
rm -rf /root/for-db /root/from-db /etc/systemd/nspawn/tiny.nspawn
systemctl daemon-reload
