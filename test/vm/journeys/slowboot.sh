# NotifyReady=yes, which web has: the start may take longer than TimeoutStartSec= while the boot makes progress.

require "web is up" up web
root=/var/lib/machines/web
stop web
mkdir -p /run/systemd/system/"$(unit web)".d
printf '[Service]\nTimeoutStartSec=15s\n' >/run/systemd/system/"$(unit web)".d/start.conf
systemctl daemon-reload
# job COMMAND: a job that the boot of web waits for.
job() {
    printf '[Unit]\nBefore=multi-user.target\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sh -c "%s"\n' "$1" >$root/etc/systemd/system/job.service
    ln -sf ../job.service $root/etc/systemd/system/multi-user.target.wants/job.service
}
mkdir -p $root/etc/systemd/system/multi-user.target.wants
job 'timeout 40 dd if=/dev/zero of=/dev/null || true'
began=$SECONDS
check "a boot that works for longer than TimeoutStartSec= is waited for" start web
check "until it says that it is ready" test $((SECONDS - began)) -ge 40
check "which it is then" contains "$(show web StatusText)" "Container running: "
stop web
job 'sleep infinity'
note "a boot that hangs"
check "a boot that hangs is given up" not timeout 280 systemctl start "$(unit web)"
check "because of the time-out" equal "$(show web Result)" timeout
check "nothing is left of it" eventually 10 clean
rm -r /run/systemd/system/"$(unit web)".d $root/etc/systemd/system/job.service $root/etc/systemd/system/multi-user.target.wants/job.service
systemctl daemon-reload
systemctl reset-failed "$(unit web)"
check "web starts as before" start web || mend web || exit
check "and boots as before" eventually 200 is_booted web
