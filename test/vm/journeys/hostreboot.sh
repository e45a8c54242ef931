# After a reboot of the host the containers come up by themselves, with the same address and limits.

if [ "$BOOT" = 1 ]; then
    require "web is up" up web
    require "web has an address" eventually 60 address web
    address web >"$FILES/address"
    check "set-property CPUQuota=50%" systemctl set-property "$(unit web)" CPUQuota=50%
    if [ "$CONTAINER_PACKAGE" = yes ]; then machinectl -q enable tiny; else systemctl -q enable "$(unit tiny)"; fi
    check "tiny, which has no file, is enabled" systemctl -q is-enabled "$(unit tiny)"
    reboot_host
fi

require "after the reboot web comes up by itself" eventually 120 leader web
check "as does tiny, enabled by hand" eventually 60 is_active tiny
check "the limit of set-property survived the reboot" equal "$(cat "$(cgroup web)/cpu.max")" "50000 100000"
check "the file's limit, too" equal "$(cat "$(cgroup web)/memory.max")" 268435456
systemctl set-property "$(unit web)" CPUQuota=150%
check "web boots" eventually 300 is_booted web
check "and has the same address" equal "$(eventually 60 address web)" "$(cat "$FILES/address")"
check "no unit of the host failed" equal "$(systemctl list-units --failed --plain --no-legend)" ""
systemctl disable -q "$(unit tiny)"
systemctl stop "$(unit tiny)"
