package network

import (
	"strings"
	"testing"

	"nspawnkit/siphash"
)

// testHostID is the machine ID of the host on which systemd-nspawn 252 made the expected names and addresses below.
var testHostID = [16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}

func TestSiphash24(t *testing.T) {
	// The last and two other vectors of the reference implementation (vectors_sip64): key 00 01 … 0f, message 00 01 ….
	var key [16]byte
	message := make([]byte, 64)
	for i := range message {
		message[i] = byte(i)
	}
	copy(key[:], message)
	for n, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 15: 0xa129ca6149be45e5, 63: 0x958a324ceb064572} {
		if got := siphash.Sum64(key, message[:n]); got != want {
			t.Errorf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}

func TestHostLinkName(t *testing.T) {
	tests := []struct{ prefix, machine, name, altname string }{
		{VethPrefix, "web", "ve-web", ""},
		{VethPrefix, "exactly12byt", "ve-exactly12byt", ""},
		{VethPrefix, "very-long-machine-name-for-a-container", "ve-very-lonI5p7", "ve-very-long-machine-name-for-a-container"},
		{BridgePrefix, "exactly13byte", "vb-exactly1-dVy", "vb-exactly13byte"},
	}
	for _, test := range tests {
		name, altname := HostLinkName(test.prefix, test.machine)
		if name != test.name || altname != test.altname {
			t.Errorf("%s%s: %q, %q, want %q, %q", test.prefix, test.machine, name, altname, test.name, test.altname)
		}
	}
	if name, altname := HostLinkName(VethPrefix, strings.Repeat("x", 200)); len(name) != 15 || altname != "" {
		t.Errorf("200 bytes: %q, %q: the kernel takes no alternative name of that length", name, altname)
	}
}

func TestHardwareAddrs(t *testing.T) {
	for machine, want := range map[string][2]string{
		"web":                                    {"3a:23:55:9e:93:59", "da:fb:5c:16:4a:cc"},
		"very-long-machine-name-for-a-container": {"9a:b7:3c:6b:62:eb", "9a:5d:74:dd:7d:d3"},
		"exactly12byt":                           {"22:4f:6a:f2:71:da", "e2:a0:5c:8f:3b:99"},
		"exactly13byte":                          {"66:54:c3:76:f2:1d", "fe:89:be:78:c3:c2"},
	} {
		host, container := HardwareAddrs(testHostID, machine)
		if got := [2]string{host.String(), container.String()}; got != want {
			t.Errorf("%s: %v, want %v", machine, got, want)
		}
	}
}

func TestExtraHardwareAddrs(t *testing.T) {
	for index, want := range [][2]string{
		{"66:7a:43:4c:41:80", "c6:bd:f0:bc:55:6c"},
		{"1e:49:c8:06:57:e5", "82:ed:59:97:bd:d8"},
		{"fa:a0:15:74:63:5c", "96:f0:42:69:ef:eb"},
	} {
		host, container := ExtraHardwareAddrs(testHostID, "db", uint64(index))
		if got := [2]string{host.String(), container.String()}; got != want {
			t.Errorf("index %d: %v, want %v", index, got, want)
		}
	}
}

func TestValidInterfaceName(t *testing.T) {
	for _, name := range []string{"ve-web", "a", "eth0.100", "exactly15bytes_", "0a", "vz-app"} {
		if err := ValidInterfaceName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "all", "default", "42", "sixteen-bytes-xx", "a/b", "a:b", "eth%d", "a b", "a\tb",
		"a\n", "a\x00", "a\x7f", "é", "\u00a0"} {
		if ValidInterfaceName(name) == nil {
			t.Errorf("%q is taken for valid", name)
		}
	}
}

func TestValidZone(t *testing.T) {
	for _, zone := range []string{"app", "exactly12byt", "1", ".", "default"} {
		if err := ValidZone(zone); err != nil {
			t.Errorf("%q: %v", zone, err)
		}
	}
	for zone, want := range map[string]string{
		"":              "zone name is empty",
		"exactly13byte": `zone name "exactly13byte" has 13 bytes, more than 12`,
		"../x":          `zone "../x": interface name "vz-../x" contains the character '/'`,
		"a b":           `zone "a b": interface name "vz-a b" contains the character ' '`,
		"a%b":           `zone "a%b": interface name "vz-a%b" contains the character '%'`,
	} {
		if err := ValidZone(zone); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", zone, err, want)
		}
	}
}
