package settings

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// unprivileged are the keys that a file beside an image may set, by the manual and CVE-2026-40226.
const unprivileged = "Boot ProcessTwo Parameters Environment User WorkingDirectory DropCapability KillSignal Personality " +
	"ReadOnly Volatile NotifyReady Hostname NoNewPrivileges ResolvConf Timezone SuppressSync"

func TestKeysPrivileged(t *testing.T) {
	for _, k := range Keys() {
		if want := !hasWord(unprivileged, k.Name); k.Privileged != want {
			t.Errorf("%s: Privileged is %v", &k, k.Privileged)
		}
	}
}

func TestKeysAreUnique(t *testing.T) {
	names := make(map[string]bool)
	for _, k := range Keys() {
		if names[k.String()] {
			t.Errorf("%s twice", &k)
		}
		names[k.String()] = true
		if k.Option != "" && k.Help == "" {
			t.Errorf("%s: no help", &k)
		}
	}
	long, short := make(map[string]bool), make(map[byte]bool)
	for o := range eachOption {
		if o.long != "" && long[o.long] || o.short != 0 && short[o.short] {
			t.Errorf("option %s twice", &o)
		}
		long[o.long], short[o.short] = true, true
	}
}

// TestEveryKey sets each key to a good value and to a bad one.
func TestEveryKey(t *testing.T) {
	data, err := os.ReadFile("testdata/all.nspawn")
	if err != nil {
		t.Fatal(err)
	}
	s, problems := combined(t, string(data), "--settings=override")
	if len(problems) > 0 {
		t.Error(joinProblems(problems))
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "all.json", string(text)+"\n")

	inOtherTests := []string{"Files.PrivateUsersChown", "Network.Private", "Network.VirtualEthernet", "Network.Bridge", "Network.NamespacePath"}
	for _, k := range Keys() {
		_, set := s.Set[k.String()]
		if k.Supported() && !set && !strings.HasPrefix(k.Name, "Limit") && !slices.Contains(inOtherTests, k.String()) {
			t.Errorf("testdata/all.nspawn does not set %s", &k)
		}
		if k.Name == "Parameters" {
			continue // takes everything but open quotes
		}
		_, problems := combined(t, "["+k.Section+"]\n"+k.Name+"=/../\x01\n", "--settings=override")
		if len(problems) != 1 {
			t.Errorf("%s with a bad value: %d problems", &k, len(problems))
			continue
		}
		if (problems[0].Severity == Error) != k.Strict {
			t.Errorf("%s", problems[0])
		}
	}
}

// pendingValues are good values of the keys that are not supported yet, but their defaults.
var pendingValues = map[string]string{
	"Files.Inaccessible": "/a", "Files.Overlay": "/a:/b", "Files.OverlayReadOnly": "/a:/b:/c", "Files.IDMapBinds": "owner",
}

func TestUnsupportedKeys(t *testing.T) {
	for _, k := range Keys() {
		if k.Supported() {
			continue
		}
		value, ok := pendingValues[k.String()]
		if !ok {
			t.Errorf("no value for %s", &k)
		}
		_, problems := combined(t, "["+k.Section+"]\n"+k.Name+"="+value+"\n")
		want := "/etc/systemd/nspawn/web.nspawn:2: error: " + k.Name + "= is not supported yet"
		if joinProblems(problems) != want {
			t.Errorf("%s=%s: got %v, want %s", &k, value, problems, want)
		}
	}
}

// TestDefaults sets each key to its default and finds the settings as without.
func TestDefaults(t *testing.T) {
	without, _ := combined(t, "")
	for _, k := range Keys() {
		if k.Default == "" {
			continue
		}
		s, problems := combined(t, "["+k.Section+"]\n"+k.Name+"="+k.Default+"\n")
		delete(s.Set, k.String())
		if len(problems) > 0 || !reflect.DeepEqual(s, without) {
			t.Errorf("%s=%s: %v, %+v", &k, k.Default, problems, s)
		}
	}
}

func TestValues(t *testing.T) {
	for _, test := range []struct{ line, problem string }{
		{"[Exec]\nBoot=maybe", "warning: Boot=maybe: not a boolean, ignored"},
		{"[Exec]\nParameters=\"a", "warning: Parameters=\"a: missing closing quote, ignored"},
		{"[Exec]\nEnvironment=1A=b", "warning: Environment=1A=b: 1A is not a variable name, ignored"},
		{"[Exec]\nEnvironment=A", "warning: Environment=A: A is not an assignment, ignored"},
		{"[Exec]\nWorkingDirectory=x", "warning: WorkingDirectory=x: path x is not absolute, ignored"},
		{"[Exec]\nWorkingDirectory=/a/../b", "warning: WorkingDirectory=/a/../b: path /a/../b is not normalized, ignored"},
		{"[Exec]\nCapability=CAP_KILL CAP_FOO", "error: Capability=CAP_KILL CAP_FOO: CAP_FOO is not a capability"},
		{"[Exec]\nDropCapability=kill", "error: DropCapability=kill: kill is not a capability"},
		{"[Exec]\nNoNewPrivileges=2", "error: NoNewPrivileges=2: not a boolean"},
		{"[Exec]\nKillSignal=term", "warning: KillSignal=term: not a signal, ignored"},
		{"[Exec]\nKillSignal=65", "warning: KillSignal=65: not a signal, ignored"},
		{"[Exec]\nKillSignal=RTMIN+31", "warning: KillSignal=RTMIN+31: not a signal, ignored"},
		{"[Exec]\nMachineID=00000000000000000000000000000000", "warning: MachineID=00000000000000000000000000000000: all zero, ignored"},
		{"[Exec]\nMachineID=x", "warning: MachineID=x: not a 128-bit ID, ignored"},
		{"[Exec]\nPrivateUsers=", "error: PrivateUsers=: not yes, no, pick, identity, managed or UID[:COUNT]"},
		{"[Exec]\nPrivateUsers=65536:0", "error: PrivateUsers=65536:0: range is empty"},
		{"[Exec]\nPrivateUsers=65535", "error: PrivateUsers=65535: 65535 is not a valid UID"},
		{"[Exec]\nPrivateUsers=4294901760", "error: PrivateUsers=4294901760: range ends beyond the last UID"},
		{"[Exec]\nPrivateUsers=4294967296", "error: PrivateUsers=4294967296: number out of range"},
		{"[Exec]\nSystemCallFilter=~a;b", "error: SystemCallFilter=~a;b: a;b is not a system call or group"},
		{"[Exec]\nLimitNOFILE=10%", "error: LimitNOFILE=10%: not a number"},
		{"[Exec]\nLimitNOFILE=1K", "error: LimitNOFILE=1K: not a number"},
		{"[Exec]\nLimitNOFILE=1_0", "error: LimitNOFILE=1_0: not a number"},
		{"[Exec]\nLimitNOFILE=", "error: LimitNOFILE=: not a number"},
		{"[Exec]\nLimitNOFILE=2:1", "error: LimitNOFILE=2:1: soft limit is higher than the hard limit"},
		{"[Exec]\nLimitNICE=+20", "error: LimitNICE=+20: number out of range"},
		{"[Exec]\nLimitAS=1M1G", "error: LimitAS=1M1G: not a size"},
		{"[Exec]\nLimitAS=99999999999E", "error: LimitAS=99999999999E: number out of range"},
		{"[Exec]\nOOMScoreAdjust=1001", "warning: OOMScoreAdjust=1001: not between -1000 and 1000, ignored"},
		{"[Exec]\nHostname=a_b", "warning: Hostname=a_b: not a valid host name, ignored"},
		{"[Exec]\nHostname=a..b", "warning: Hostname=a..b: not a valid host name, ignored"},
		{"[Exec]\nLinkJournal=try-no", "warning: LinkJournal=try-no: not one of no, host, try-host, guest, try-guest, auto, ignored"},
		{"[Exec]\nTimezone=x", "warning: Timezone=x: not one of off, copy, bind, symlink, delete, auto, ignored"},
		{"[Files]\nReadOnly=x", "error: ReadOnly=x: not a boolean"},
		{"[Files]\nBind=", "error: Bind=: an empty value has no meaning here"},
		{"[Files]\nBind=/a:", "error: Bind=/a:: path  is not absolute"},
		{"[Files]\nBind=a:/b", "error: Bind=a:/b: path a is not absolute"},
		{"[Files]\nBind=/a:/b:ro", "error: Bind=/a:/b:ro: unknown mount option ro"},
		{"[Files]\nBind=/a:/../b", "error: Bind=/a:/../b: path /../b is not normalized"},
		{"[Files]\nBind=:", "error: Bind=:: path  is not absolute"},
		{"[Files]\nBind=/a:/", "error: Bind=/a:/: mounting over the root directory is not supported yet"},
		{"[Files]\nTemporaryFileSystem=/", "error: TemporaryFileSystem=/: mounting over the root directory is not supported yet"},
		{"[Network]\nZone=../x", "error: Zone=../x: not a valid zone name"},
		{"[Network]\nZone=..", "error: Zone=..: not a valid zone name"},
		{"[Network]\nZone=a\"b", "error: Zone=a\"b: not a valid zone name"},
		{"[Network]\nZone=zäh", "error: Zone=zäh: not a valid zone name"},
		{"[Network]\nZone=abcdefghijklm", "error: Zone=abcdefghijklm: zone name is longer than 12 bytes"},
		{"[Network]\nBridge=all", "error: Bridge=all: interface name all is reserved"},
		{"[Network]\nBridge=12", "error: Bridge=12: interface name 12 is a number"},
		{"[Network]\nBridge=a%b", "error: Bridge=a%b: interface name a%b has bad characters"},
		{"[Network]\nVirtualEthernetExtra=a:b:c", "error: VirtualEthernetExtra=a:b:c: interface name b:c has bad characters"},
		{"[Network]\nPrivate=yes\nPort=0", "warning: Port=0: 0 is not a port from 1 to 65535, ignored"},
		{"[Network]\nPrivate=yes\nPort=dccp:1", "warning: Port=dccp:1: dccp is not a port from 1 to 65535, ignored"},
		{"[Network]\nPrivate=yes\nPort=80:65536", "warning: Port=80:65536: 65536 is not a port from 1 to 65535, ignored"},
		{"[Network]\nPrivate=yes\nPort=80\nPort=80:81", "warning: Port=80:81: host port tcp:80 is already used at /etc/systemd/nspawn/web.nspawn:3, ignored"},
		{"[Network]\nBridge=br0\nZone=a", "error: Bridge= and Zone= may not be combined"},
		{"[Network]\nZone=a\nAddress=10.0.0.2", "error: Address=10.0.0.2: 10.0.0.2 has no prefix length, such as in 10.0.0.2/24"},
		{"[Network]\nZone=a\nAddress=10.0.0.2/33", "error: Address=10.0.0.2/33: 33 is not a prefix length"},
		{"[Network]\nZone=a\nAddress=10.0.0.2/", "error: Address=10.0.0.2/:  is not a prefix length"},
		{"[Network]\nZone=a\nAddress=10.0.0.2/32", "error: Address=10.0.0.2/32: the network of 10.0.0.2/32 has no address for the host's side of the link"},
		{"[Network]\nZone=a\nAddress=10.0.0.2/31", "error: Address=10.0.0.2/31: the network of 10.0.0.2/31 has no address for the host's side of the link"},
		{"[Network]\nZone=a\nAddress=10.0.0.2/7", "error: Address=10.0.0.2/7: the network of 10.0.0.2/7 is larger than a DHCP server can look after, 8 bits of prefix"},
		{"[Network]\nZone=a\nAddress=10.0.0.0/24", "error: Address=10.0.0.0/24: 10.0.0.0/24 is the address of its network"},
		{"[Network]\nZone=a\nAddress=10.0.0.255/24", "error: Address=10.0.0.255/24: 10.0.0.255/24 is the broadcast address of its network"},
		{"[Network]\nZone=a\nAddress=fd00::/64", "error: Address=fd00::/64: fd00::/64 is the address of its network"},
		{"[Network]\nZone=a\nAddress=0.0.0.0/24", "error: Address=0.0.0.0/24: 0.0.0.0 is not the address of a host"},
		{"[Network]\nZone=a\nMACAddress=01:00:00:00:00:01", "error: MACAddress=01:00:00:00:00:01: not the address of one interface"},
		{"[Network]\nZone=a\nDNS=a", "error: DNS=a: a is not an IP address"},
		{"[Network]\nPrivate=yes\nAddress=10.0.0.2/24", "error: Address= needs VirtualEthernet=, Bridge= or Zone=: without there is no host0"},
		{"[Network]\nPrivate=yes\nMACAddress=02:00:00:00:00:01", "error: MACAddress= needs VirtualEthernet=, Bridge= or Zone=: without there is no host0"},
		{"[Network]\nZone=a\nDHCP=ipv4", "error: DHCP=ipv4: not a boolean"},
		{"[Network]\nPrivate=yes\nDHCP=yes", "error: DHCP=yes needs VirtualEthernet=, Bridge=, Zone=, MACVLAN= or IPVLAN=: without there is no link to ask on"},
		{"[Network]\nZone=a\nAddress=10.0.0.2/24\nDHCP=yes", "error: DHCP=yes and Address= may not be combined"},
		{"[Network]\nPort=80", "error: Port= cannot be used without private networking"},
	} {
		_, problems := combined(t, test.line+"\n")
		if len(problems) != 1 {
			t.Errorf("%q: problems %v", test.line, problems)
			continue
		}
		line := 1 + strings.Count(test.line, "\n")
		if p := problems[0]; p.Severity.String()+": "+p.Text != test.problem || p.Origin.Line != line {
			t.Errorf("%q: got %s, want line %d %s", test.line, p, line, test.problem)
		}
	}
}

func TestEmptyValues(t *testing.T) {
	s, problems := combined(t, "[Exec]\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\nParameters=a\nParameters=\n"+
		"Capability=CAP_KILL\nCapability=\nHostname=x\nHostname=\nSystemCallFilter=\n[Network]\nVirtualEthernet=yes\nVirtualEthernet=\nZone=a\nZone=\n")
	if len(problems) > 0 {
		t.Error(joinProblems(problems))
	}
	if e := s.Exec; !slices.Equal(e.Environment, []string{"B=2"}) || e.Parameters != nil || e.Hostname != "" || len(e.Capability) != 1 {
		t.Errorf("%+v", e)
	}
	if s.Network.Private {
		t.Errorf("%+v", s.Network)
	}
}

// TestDefaultOfUnsupportedKey writes defaults in other ways than the table does.
func TestDefaultOfUnsupportedKey(t *testing.T) {
	if _, problems := combined(t, "[Exec]\nEphemeral=off\nSuppressSync=0\nUser=0\nPrivateUsersDelegate=0\n[Files]\nVolatile=off\n"); len(problems) > 0 {
		t.Error(joinProblems(problems))
	}
}
