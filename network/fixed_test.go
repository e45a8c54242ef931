package network

import (
	"net/netip"
	"testing"
)

func TestHostSide(t *testing.T) {
	for container, want := range map[string]string{
		"10.0.0.2/24":  "10.0.0.1/24",
		"10.0.0.1/24":  "10.0.0.2/24",
		"10.0.0.77/26": "10.0.0.65/26",
		"10.0.0.1/30":  "10.0.0.2/30",
		"10.0.0.0/31":  "10.0.0.1/31",
		"10.0.0.1/31":  "10.0.0.0/31",
		"fd00::7/64":   "fd00::1/64",
		"fd00::1/64":   "fd00::2/64",
		"fd00::/127":   "fd00::1/127",
		"fd00::1/127":  "fd00::/127",
	} {
		if got := HostSide(netip.MustParsePrefix(container)); got.String() != want {
			t.Errorf("%s: %s, want %s", container, got, want)
		}
	}
}
