# “Per-container settings”: the file of a container, and the two traps that the page warns of.

a_copy mine
settings mine <<'END'
[Exec]
Hostname=named-by-file
[Network]
VirtualEthernet=yes
END
require "the container starts" tiny_up mine
check "it is ours" by_ours mine
check "with what the file says" equal "$(inside mine busybox hostname)" named-by-file
check "the whole command is the template's" contains "$(systemctl show --value -p ExecStart "$(unit mine)")" "--settings=override"
check "VirtualEthernet=yes is not lost by --settings=override" test -e /sys/class/net/ve-mine
check "and leads to host0" inside mine busybox test -e /sys/class/net/host0
stop mine
settings mine <<<$'[Exec]\nHostname=named-by-file'
require "it starts with a file without [Network]" tiny_up mine
check "which leaves the link of the unit" test -e /sys/class/net/ve-mine
stop mine

mkdir -p "/etc/systemd/system/$(unit mine).d"
cat >"/etc/systemd/system/$(unit mine).d/override.conf" <<'END'
[Service]
ExecStart=
ExecStart=systemd-nspawn --quiet --keep-unit --boot --link-journal=try-guest -U --settings=override --machine=%i
END
settings mine <<<$'[Network]\nVirtualEthernet=yes'
require "it starts with a command of one's own" tiny_up mine
check "which is ours, too" by_ours mine
check "VirtualEthernet= of the file counts there" test -e /sys/class/net/ve-mine
stop mine
rm -r "/etc/systemd/system/$(unit mine).d"

mkdir -p /etc/nspawnkit
mv /etc/systemd/nspawn/mine.nspawn /etc/nspawnkit/
echo $'[Exec]\nHostname=survives' >>/etc/nspawnkit/mine.nspawn
systemctl daemon-reload
check "machinectl remove" machinectl remove mine
check "removes the image" not test -e /var/lib/machines/mine
check "but not the settings in /etc/nspawnkit" test -s /etc/nspawnkit/mine.nspawn
a_copy mine
require "a new image of that name starts" tiny_up mine
check "with them" equal "$(inside mine busybox hostname)" survives
forget mine
rm /etc/nspawnkit/mine.nspawn
systemctl daemon-reload
check "nothing is left" eventually 20 clean
