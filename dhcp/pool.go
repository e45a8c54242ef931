package dhcp

import "net/netip"

// Pool lists the addresses that a server by this configuration gives to any client: not its own, the router's, and those of static leases.
func (c Config) Pool() ([]netip.Addr, error) {
	s, err := New(c)
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	for i := range s.leases.size {
		if a := s.leases.first + i; s.leases.dynamic(a) {
			list = append(list, address(a))
		}
	}
	return list, nil
}
