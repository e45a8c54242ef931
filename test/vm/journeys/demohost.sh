# `make demo HOST=1`: the demo on a host that is in use, after which this is as it was, also after Ctrl-C and kill -9.

if [ -n "$ORACLE" ]; then
    skip "demohost: the demo on a host" "the distribution's systemd-nspawn is played"
    exit 0
fi
with_package "the demo on a host" || exit 0

# host prints what the demo could leave behind.
host() {
    traces
    find /etc/systemd /etc/nspawnkit -maxdepth 2 | sort
    find /var/log/journal /var/lib/machines /var/lib/nspawnkit-demo -maxdepth 1 2>/dev/null | sort
    systemctl list-units --all --plain --no-legend 'systemd-nspawn@*' | awk '{print "unit " $1}'
    systemctl is-active networkd-lite.service
}
is_as_before() { host | diff "$FILES/host" -; }
demo() { systemd-run -q --unit=playing --collect -E TREE=/var/lib/machines/db "$@" /usr/lib/vmtest/demo; }
ended() { not systemctl -q is-active playing.service; }

systemctl start networkd-lite.service
host >"$FILES/host"

# progress says what the demo does, which may take minutes.
progress() { while read -r line; do [[ $line != ok* ]] || note "$line"; done; }
plays() {
    mkdir /var/lib/machines/demo
    contains "$(/usr/lib/vmtest/demo 2>&1)" "not the demo's" && rmdir /var/lib/machines/demo || return 1
    demo --wait --pipe 2>&1 | tee "$FILES/demohost.out" | progress
    [ "${PIPESTATUS[0]}" = 0 ] || { grep ^FAIL "$FILES/demohost.out"; tail -n 3 "$FILES/demohost.out"; return 1; }
}
require "it plays and is green, but not over a container that somebody has" plays
check "it shows a container" grep -Eq '^ *demo +container +systemd-nspawn' "$FILES/demohost.out"
check "and leaves nothing" eventually 20 is_as_before

demo
require "it plays again" eventually 200 leader demo
systemctl kill --signal=INT playing.service # Ctrl-C: all processes of the terminal get it
check "and ends at Ctrl-C" eventually 120 ended
check "which leaves nothing" eventually 20 is_as_before

demo
require "it plays once more" eventually 200 leader demo
systemctl kill --signal=KILL playing.service
check "and is killed" eventually 20 ended
takes_away() { /usr/lib/vmtest/demo --clean && eventually 20 is_as_before; }
check "what that leaves the next call takes away" takes_away
