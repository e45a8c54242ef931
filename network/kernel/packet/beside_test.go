package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"

	"nspawnkit/dhcp"
)

// requestPacket is an IP packet with a DHCP request to the address.
func requestPacket(to string) []byte {
	payload := make([]byte, cookieOffset-udpHeader+4)
	payload[0] = bootRequest
	binary.BigEndian.PutUint32(payload[len(payload)-4:], magicCookie)
	conn := &Conn{address: netip.MustParseAddr("10.0.0.5")}
	return conn.datagram(payload, dhcp.Destination{Address: netip.AddrPortFrom(netip.MustParseAddr(to), serverPort)})
}

func TestPacketFilter(t *testing.T) {
	vm, err := bpf.NewVM(packetFilter())
	if err != nil {
		t.Fatal(err)
	}
	change := func(offset int, value byte) []byte {
		packet := requestPacket("10.0.0.1")
		packet[offset] = value
		return packet
	}
	options := append([]byte{0x46}, requestPacket("10.0.0.1")[1:ipHeader]...)
	options = append(append(options, 1, 1, 1, 1), requestPacket("10.0.0.1")[ipHeader:]...)
	for name, test := range map[string]struct {
		packet []byte
		pass   bool
	}{
		"request":           {requestPacket("10.0.0.1"), true},
		"with IP options":   {options, true},
		"don't fragment":    {change(6, 0x40), true},
		"first fragment":    {change(6, 0x20), false},
		"later fragment":    {change(7, 1), false},
		"TCP":               {change(9, 6), false},
		"other port":        {change(ipHeader+3, 68), false},
		"reply":             {change(ipHeader+opOffset, 2), false},
		"no cookie":         {change(ipHeader+cookieOffset, 0), false},
		"cut":               {requestPacket("10.0.0.1")[:ipHeader+cookieOffset], false},
		"without a payload": {requestPacket("10.0.0.1")[:ipHeader], false},
	} {
		n, err := vm.Run(test.packet)
		if err != nil || (n > 0) != test.pass {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

func TestRequest(t *testing.T) {
	b := &beside{address: netip.MustParseAddr("10.0.0.1")}
	for to, want := range map[string]bool{"10.0.0.1": true, "255.255.255.255": true, "8.8.8.8": false} {
		packet := requestPacket(to)
		payload, ok := b.request(append(packet, 0, 0, 0)) // filled up to the shortest frame
		if ok != want || want && !bytes.Equal(payload, packet[ipHeader+udpHeader:]) {
			t.Errorf("to %s: %v, %x", to, ok, payload)
		}
	}
}

// Whatever comes in through the link stays within its bounds.
func FuzzRequest(f *testing.F) {
	f.Add(requestPacket("10.0.0.1"))
	f.Add([]byte{0x4f, 0, 0, 28})
	f.Add([]byte{})
	b := &beside{address: netip.MustParseAddr("10.0.0.1")}
	f.Fuzz(func(t *testing.T, packet []byte) {
		if payload, ok := b.request(packet); ok && len(payload) > len(packet)-ipHeader-udpHeader {
			t.Errorf("%d bytes of %d", len(payload), len(packet))
		}
	})
}
