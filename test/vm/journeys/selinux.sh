# kernel: security=selinux selinux=1
# SELinux contexts of a container's processes and of its temporary file systems. The policy, guest/selinux.cil, permits everything:
# what counts is who has which context. Played by name only, because the kernel runs one such module.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-nspawn is not asked"; exit 0; fi
process=test_u:test_r:container_t files=test_u:object_r:container_file_t
run() {
    nspawn-exec --quiet --machine=labeled --directory=/var/lib/machines/tiny --console=pipe --link-journal=no --register=no --settings=no "$@" 2>&1 </dev/null
}
current() { run "$@" /bin/busybox cat /proc/self/attr/current | tr -d '\0'; }
left() { traces | grep labeled; }

mountpoint -q /sys/fs/selinux || mount -t selinuxfs selinuxfs /sys/fs/selinux || { check "the kernel runs SELinux" false; exit 1; }
check "before there is a policy, a context is refused" contains "$(current -Z $process)" "--selinux-context=$process: SELinux of the host has no policy loaded"
check "of files, too" contains "$(current -L $files)" "--selinux-apifs-context=$files: SELinux of the host has no policy loaded"
dd if=/usr/lib/vmtest/selinux.policy of=/sys/fs/selinux/load bs=1M status=none || { check "the policy is loaded" false; exit 1; }

check "--selinux-context= is the context of the payload" equal "$(current -Z $process)" $process
check "with users of its own" equal "$(current --private-users=pick -Z $process)" $process
check "behind a stub init" equal "$(current --as-pid2 -Z $process)" $process
echo user:x:1000:1000::/:/bin/sh >/var/lib/machines/tiny/etc/passwd
check "as another user" equal "$(current --uid=user -Z $process)" $process
for users in no pick; do
    mounts=$(run --private-users=$users --private-network --tmpfs=/srv -L $files /bin/busybox cat /proc/self/mountinfo)
    for place in /dev /dev/shm /dev/pts /run /tmp /sys /srv; do
        check "--private-users=$users: --selinux-apifs-context= is the context in $place" contains \
            "$(awk -v place=$place '$5 == place {print $NF}' <<<"$mounts")" "context=$files"
    done
done
check "what the policy does not know is refused for processes" contains "$(current -Z test_u:test_r:nobody_t)" "--selinux-context=test_u:test_r:nobody_t: "
check "and for files" contains "$(current -L test_u:object_r:nobody_t)" "--selinux-apifs-context=test_u:object_r:nobody_t: "
if [ "$(current -Z $process)" = $process ]; then check "nothing is left" eventually 10 not left; fi
