package packet

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"

	"nspawnkit/dhcp"
)

func TestFilter(t *testing.T) {
	vm, err := bpf.NewVM(requestFilter())
	if err != nil {
		t.Fatal(err)
	}
	request := make([]byte, cookieOffset+4)
	request[opOffset] = bootRequest
	binary.BigEndian.PutUint32(request[cookieOffset:], magicCookie)
	reply := append([]byte(nil), request...)
	reply[opOffset] = 2
	for name, test := range map[string]struct {
		packet []byte
		pass   bool
	}{
		"request":    {request, true},
		"reply":      {reply, false},
		"cut":        {request[:len(request)-1], false},
		"no cookie":  {append(request[:cookieOffset:cookieOffset], 0, 0, 0, 0), false},
		"empty":      {make([]byte, udpHeader), false},
		"other port": {nil, false},
	} {
		n, err := vm.Run(test.packet)
		if err != nil || (n > 0) != test.pass {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

func TestDatagram(t *testing.T) {
	conn := &Conn{address: netip.MustParseAddr("10.0.0.1")}
	for _, length := range []int{300, 301} {
		reply := make([]byte, length)
		for i := range reply {
			reply[i] = byte(i * 7)
		}
		b := conn.datagram(reply, dhcp.Destination{Address: netip.MustParseAddrPort("10.0.0.5:68")})
		if sum(0, b[:ipHeader]) != 0xffff {
			t.Errorf("IP checksum of %x", b[:ipHeader])
		}
		pseudo := append(append([]byte{}, b[12:20]...), 0, 17, b[24], b[25])
		if sum(sum(0, pseudo), b[ipHeader:]) != 0xffff {
			t.Errorf("UDP checksum of %x", b[ipHeader:ipHeader+udpHeader])
		}
		if got := int(binary.BigEndian.Uint16(b[2:])); got != len(b) || len(b) != length+ipHeader+udpHeader {
			t.Errorf("length %d of %d", got, len(b))
		}
	}
}
