package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"

	"nspawnkit/network"
)

// PortCounters returns how many connections have met each entry of the maps of ports. Those to the loopback link have keys with the
// prefixes that the entries have there.
func (f *Firewall) PortCounters() (map[network.PortKey]uint64, error) {
	table := &nftables.Table{Name: TableName, Family: nftables.TableFamilyINet}
	counters := map[network.PortKey]uint64{}
	for _, m := range append(loopbackMaps[:], forwardMaps[:]...) {
		elements, err := f.conn.GetSetElements(m.set(table))
		if err != nil {
			return nil, fmt.Errorf("read nft map %s: %w", m.name, err)
		}
		for _, e := range elements {
			if key, ok := m.key(e); ok && e.Counter != nil {
				counters[key] += e.Counter.Packets
			}
		}
	}
	return counters, nil
}

// key is the inverse of elements.
func (m portMap) key(e nftables.SetElement) (key network.PortKey, ok bool) {
	length := 4
	if m.version == 6 {
		length = 16
	}
	if len(e.Key) != length+8 || len(e.KeyEnd) != len(e.Key) {
		return key, false
	}
	first, _ := netip.AddrFromSlice(e.Key[:length])
	last, _ := netip.AddrFromSlice(e.KeyEnd[:length])
	bits := first.BitLen()
	for !netip.PrefixFrom(first, bits).Contains(last) {
		bits--
	}
	return network.PortKey{
		Prefix: netip.PrefixFrom(first, bits), Protocol: e.Key[length],
		First: binary.BigEndian.Uint16(e.Key[length+4:]), Last: binary.BigEndian.Uint16(e.KeyEnd[length+4:]),
	}, true
}
