package settings

import (
	"os/exec"
	"strings"
	"testing"
)

// commandLines are options, one a line, each tried alone. Where the command line is written as the file is, the values of
// testdata/oracle.nspawn are enough.
const commandLines = `
--cpu-affinity=0-3
--cpu-affinity=0,2
--cpu-affinity=0 1
--cpu-affinity=
--cpu-affinity=3-1
--cpu-affinity=8192
--cpu-affinity=x
--personality=x86
--personality=x86-64
--personality=arm64
--personality=
--network-interface=lo
--network-interface=lo:b
--network-interface=lo lo:c
--network-interface=lo:
--network-interface=a/b
--network-interface=
--network-macvlan=lo:b
--network-macvlan=a/b
--network-macvlan=
--network-ipvlan=lo
--network-ipvlan=a:b:c
--network-namespace-path=/run/netns/none
--network-namespace-path=
--network-bridge=br0
--network-bridge=a/b
--network-bridge=
--network-zone=a
--network-zone=a/b
--network-zone=
--network-veth-extra=a:b
--network-veth-extra=
--uid=root
--uid=
--uid=me
--pivot-root=/a:/b
--pivot-root=a
--pivot-root=
--ambient-capability=CAP_KILL,CAP_CHOWN
--ambient-capability=CAP_KILL CAP_CHOWN
--ambient-capability=CAP_FOO
--ambient-capability=
--capability=CAP_KILL,cap_chown
--capability=CAP_KILL CAP_CHOWN
--capability=5,0x6
--capability=all,CAP_KILL
--capability=CAP_FOO
--capability=CAP_KILL,
--capability=
--drop-capability=all
--drop-capability=CAP_FOO
--restrict-address-families=AF_INET AF_INET6
--restrict-address-families=~AF_PACKET
--restrict-address-families=none
--restrict-address-families=
--restrict-address-families=AF_FOO
--system-call-filter=@clock ~x
--system-call-filter=~@mount
--system-call-filter=
--suppress-sync=yes
--suppress-sync=x
--suppress-sync=
--volatile
--volatile=state
--volatile=overlay
--volatile=no
--volatile=
--volatile=x
--bind=/a:/b
--bind=a:/b
--bind=/a:b
--bind=
--bind-ro=/a
--bind-user=a/b
--bind-user=a b
--bind-user=
--bind-user-shell=x
--inaccessible=/a
--inaccessible=a
--inaccessible=
--overlay=/a:/b
--overlay=/a
--overlay=
--overlay-ro=/a::/c
--tmpfs=/a:mode=755
--tmpfs=a
--tmpfs=
--private-users
--private-users=no
--private-users=0
--private-users=1
--private-users=yes
--private-users=pick
--private-users=identity
--private-users=0:65536
--private-users=65536:1
--private-users=1:0
--private-users=
--private-users=x
--private-users-ownership=map
--private-users-ownership=off
--private-users-ownership=auto
--private-users-ownership=x
--private-users-ownership=
--private-users-delegate=0
--private-users-delegate=17
--private-users-delegate=x
--hostname=a
--hostname=a_b
--hostname=
--uuid=0123456789abcdef0123456789abcdef
--uuid=00000000000000000000000000000000
--uuid=x
--uuid=
--kill-signal=TERM
--kill-signal=x
--kill-signal=
--notify-ready=yes
--notify-ready=x
--notify-ready=
--no-new-privileges=1
--no-new-privileges=x
--no-new-privileges=
--oom-score-adjust=1000
--oom-score-adjust=1001
--oom-score-adjust=
--chdir=/a
--chdir=a
--chdir=
--setenv=A=b
--setenv=A
--setenv=1=b
--setenv==b
--setenv=
--resolv-conf=auto
--resolv-conf=yes
--resolv-conf=x
--resolv-conf=
--timezone=no
--timezone=x
--link-journal=try-host
--link-journal=yes
--link-journal=x
--link-journal=
--rlimit=RLIMIT_NOFILE=1:2
--rlimit=NOFILE=1
--rlimit=LimitNOFILE=1
--rlimit=FOO=1
--rlimit=NOFILE
--rlimit=NOFILE=
--rlimit=NOFILE=2:1
--port=80
`

// TestOracleCommandLine compares which options are bad. A good one lets systemd-nspawn get as far as the directory, or
// the interface.
func TestOracleCommandLine(t *testing.T) {
	o := newOracle(t)
	for option := range strings.SplitSeq(strings.TrimSpace(commandLines), "\n") {
		output, _ := exec.Command(o.program, "--settings=no", "--register=no", "--keep-unit", "-D", o.root, "--private-network", option).CombinedOutput()
		they := !strings.Contains(string(output), "OS tree") && !strings.Contains(string(output), "is not initialized yet")
		_, err := ParseCommandLine([]string{"--machine=web", option}, "A=1")
		we := err != nil && !strings.HasSuffix(err.Error(), "not supported yet")
		if we != they && o.known(option, we) == nil {
			t.Errorf("%s: we say %v, systemd-nspawn %d %q", option, err, o.version, output)
		}
	}
}
