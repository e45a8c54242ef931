package network

import (
	"net/netip"
	"strings"
)

// Nameservers returns the IPv4 DNS servers of a resolv.conf(5) file that a container can reach: not those on the loopback
// link, which are the host's own stub.
func Nameservers(resolvConf []byte) []netip.Addr {
	var servers []netip.Addr
	for line := range strings.Lines(string(resolvConf)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		addr, err := netip.ParseAddr(fields[1])
		if err == nil && addr.Is4() && !addr.IsLoopback() && !addr.IsUnspecified() {
			servers = append(servers, addr)
		}
	}
	return servers
}
