# “Use an unprivileged container”: users of its own, picked or fixed, and the way back.

tree=/var/lib/machines/unprivileged
a_copy unprivileged
first() { awk '$1 == 0 {print $2}' "/proc/$(leader unprivileged)/uid_map"; }
again() { stop unprivileged 2>/dev/null; settings unprivileged "$1"; tiny_up unprivileged; }

require "-U of the unit" tiny_up unprivileged
check "is ours" by_ours unprivileged
check "picks users of its own" not equal "$(first)" 0
check "changes nothing on disk where the kernel can map" equal "$(stat -c %u $tree/bin/busybox)" 0
require "PrivateUsers= with a fixed range, owners changed on disk" again $'[Exec]\nPrivateUsers=1879048192:65536\n[Files]\nPrivateUsersOwnership=chown'
check "has it" equal "$(first)" 1879048192
check "its files, too" equal "$(stat -c %u $tree/bin/busybox)" 1879048192
check "inside they belong to root" equal "$(inside unprivileged busybox stat -c %u /bin/busybox)" 0
stop unprivileged
check "systemd-nspawn --private-users=0 --private-users-ownership=chown takes it back" \
    systemd-nspawn -q -D $tree --private-users=0 --private-users-ownership=chown /bin/busybox true
check "its files are root's again" equal "$(stat -c %u $tree/bin/busybox)" 0
check "systemd-nspawn -U" not equal "$(systemd-nspawn -q --pipe -U -D $tree /bin/busybox awk '{print $2}' /proc/self/uid_map)" 0
require "PrivateUsers=no" again $'[Exec]\nPrivateUsers=no'
check "has the users of the host" equal "$(first)" 0
forget unprivileged
check "nothing is left" eventually 20 clean
