package dhcpsocket

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"

	"nspawnkit/network/kernel/datagram"
)

func TestFilter(t *testing.T) {
	vm, err := bpf.NewVM(filter(0x01020304))
	if err != nil {
		t.Fatal(err)
	}
	packet := func(offset int, value byte) []byte {
		payload := make([]byte, 300)
		payload[0] = 2
		binary.BigEndian.PutUint32(payload[4:], 0x01020304)
		p := datagram.New(netip.MustParseAddrPort("10.0.0.1:67"), netip.MustParseAddrPort("10.0.0.5:68"), payload)
		p[offset] = value
		return p
	}
	const udp, message = datagram.IPHeader, datagram.IPHeader + datagram.UDPHeader
	for name, test := range map[string]struct {
		packet []byte
		pass   bool
	}{
		"reply":             {packet(0, 0x45), true},
		"fragment":          {packet(6, 0x20), false},
		"TCP":               {packet(9, 6), false},
		"other port":        {packet(udp+3, 67), false},
		"request":           {packet(message, 1), false},
		"other transaction": {packet(message+7, 5), false},
		"cut off":           {packet(0, 0x45)[:message+7], false},
	} {
		if n, err := vm.Run(test.packet); err != nil || (n > 0) != test.pass {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
