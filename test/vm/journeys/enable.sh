# Enabling and disabling is plain systemd: with a file, with a file without [Install], and without a file.

enabled() { systemctl is-enabled "$(unit "$1")" 2>&1; }

require "web is up" up web
check "web's [Install] counts as enabled" contains "$(ls -l /run/systemd/generator*/machines.target.wants /etc/systemd/system/machines.target.wants 2>/dev/null)" "$(unit web)"
# for_container NAME WHAT: one container that is enabled and disabled by every means.
for_container() {
    local name=$1 what=$2
    check "$what: systemctl enable" systemctl -q enable "$(unit "$name")"
    check "$what: is enabled" equal "$(enabled "$name")" enabled
    check "$what: systemctl disable" systemctl -q disable "$(unit "$name")"
    check "$what: is disabled" equal "$(enabled "$name")" disabled
    with_package "$what: machinectl enable and disable" || return 0
    check "$what: machinectl enable" machinectl -q enable "$name"
    check "$what: is enabled again" equal "$(enabled "$name")" enabled
    check "$what: machinectl disable" machinectl -q disable "$name"
    check "$what: is disabled again" equal "$(enabled "$name")" disabled
}
for_container db "without a file"
printf '[Network]\nVirtualEthernet=yes\n' | nspawn_file tiny
systemctl daemon-reload
for_container tiny "a file without [Install]"
rm /etc/systemd/nspawn/tiny.nspawn
systemctl daemon-reload
