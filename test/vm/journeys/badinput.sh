# A file that cannot be honoured stops its own container only, says where and why, and needs no daemon-reload once mended.

file=/etc/systemd/nspawn/tiny.nspawn
# says TEXT [NAME]: systemctl status does, within a moment: the journal is written by another process.
says() { contains "$(status "${2:-tiny}" 15)" "$1"; }
warned() { contains "$(unit_journal tiny)" "$1"; }
# refused WHAT TEXT: tiny does not start, and systemctl status says TEXT.
refused() {
    check "$1: the container does not start" not systemctl start "$(unit tiny)"
    check "$1: systemctl status says where and why" eventually 10 says "$2"
    systemctl reset-failed "$(unit tiny)" 2>/dev/null
    systemctl stop "$(unit tiny)"
}
# mended WHAT: with a good file it starts, without daemon-reload.
mended() {
    printf '[Network]\nVirtualEthernet=yes\n' >$file
    check "$1: mended, it starts without daemon-reload" systemctl start "$(unit tiny)"
    check "$1: and runs" eventually 20 tiny_is_up tiny
    systemctl stop "$(unit tiny)"
}

nspawn_file tiny <<<$'[Exec]\nBot=yes\n[Network]\nVirtualEthernet=yes'
systemctl daemon-reload
require "a typo'd key: the container starts" start tiny
check "a typo'd key: the journal has file, line and key" eventually 10 warned "$file:2"
check "a typo'd key: is named" warned Bot
check "another container starts beside it" start web
eventually 20 tiny_is_up tiny
stop tiny

printf '[Network]\nVirtualEthernet=yes\n[Exec]\nBoot=\xff\xfe\n' >$file
systemctl daemon-reload
refused "a file that is not text" "$file:4"
mended "a file that is not text"

printf '[Network]\nZone=../x\n' >$file
systemctl daemon-reload
refused "Zone=../x" "$file:2"
check "Zone=../x: no link was made" equal "$(ip -o link | grep -cE ': v[bz]-(x|tiny|\.)')" 0
mended "Zone=../x"

printf '[Service]\nMemoryMax=banana\n[Network]\nVirtualEthernet=yes\n' | nspawn_file tiny
systemctl daemon-reload
refused "MemoryMax=banana" "$file:2"
mended "MemoryMax=banana"

rm $file
ln -s tiny.nspawn $file # a link to itself: nobody can read it, root neither
systemctl daemon-reload
refused "a file that cannot be read" "$file"
rm $file
mended "a file that cannot be read"

printf '[Service]\nMemoryMax=64M\n' | nspawn_file missing
systemctl daemon-reload
check "a missing root: the container does not start" not systemctl start "$(unit missing)"
check "a missing root: systemctl status names it" eventually 10 says /var/lib/machines/missing missing
cp -a /var/lib/machines/tiny /var/lib/machines/missing
check "a missing root: there, it starts without daemon-reload" start missing
eventually 20 tiny_is_up missing
stop missing
rm -r /var/lib/machines/missing /etc/systemd/nspawn/missing.nspawn
check "the other container ran all the time" is_active web
