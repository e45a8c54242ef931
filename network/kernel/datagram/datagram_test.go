package datagram

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

func TestNew(t *testing.T) {
	from, to := netip.MustParseAddrPort("10.0.0.1:67"), netip.MustParseAddrPort("10.0.0.5:68")
	for _, length := range []int{300, 301} {
		payload := make([]byte, length)
		for i := range payload {
			payload[i] = byte(i * 7)
		}
		b := New(from, to, payload)
		if sum(0, b[:IPHeader]) != 0xffff {
			t.Errorf("IP checksum of %x", b[:IPHeader])
		}
		pseudo := append(append([]byte{}, b[12:20]...), 0, 17, b[24], b[25])
		if sum(sum(0, pseudo), b[IPHeader:]) != 0xffff {
			t.Errorf("UDP checksum of %x", b[IPHeader:IPHeader+UDPHeader])
		}
		if got := int(binary.BigEndian.Uint16(b[2:])); got != len(b) || len(b) != length+IPHeader+UDPHeader {
			t.Errorf("length %d of %d", got, len(b))
		}
		if gotTo, got, ok := Parse(append(b, 0, 0)); !ok || gotTo != to || !bytes.Equal(got, payload) {
			t.Errorf("read as %v, %x, %v", gotTo, got, ok)
		}
	}
}
