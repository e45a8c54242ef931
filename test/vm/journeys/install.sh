# What `meson install` puts where systemd looks for it.

if [ -n "$ORACLE" ]; then
    skip "install: what meson installed" "the distribution's systemd-nspawn is played"
    exit 0
fi
for file in /usr/bin/nspawn-exec /usr/bin/networkd-lite /usr/lib/systemd/system-generators/nspawn-generator; do
    check "$file is installed" test -x $file
done
check "every instance of systemd-nspawn@ runs nspawn-exec" contains "$(systemctl show -p ExecStart "$(unit web)")" nspawn-exec
check "networkd-lite starts" systemctl start networkd-lite.service
check "and runs" systemctl -q is-active networkd-lite.service
check "systemd-networkd does not" not systemctl -q is-active systemd-networkd.service
check "systemd finds no fault with the units" \
    equal "$(journalctl --no-pager -q -b -o cat _PID=1 | grep -E '(nspawn|networkd-lite).*(Unknown|Failed to parse|ignoring)')" ""
