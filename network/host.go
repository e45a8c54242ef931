package network

import (
	"io/fs"
	"net/netip"
	"strings"
)

// Host is what DHCP servers and router advertisements pass on of the host's own configuration.
type Host struct {
	DNS      []netip.Addr // the servers of resolv.conf(5), IPv4 only
	DNS6     []netip.Addr // the same, IPv6 only
	Search   []string     // the search domains of resolv.conf(5)
	NTP      []netip.Addr // the servers of timesyncd.conf(5), IPv4 only
	Timezone string       // "Europe/Berlin"; empty: unknown
	Domain   string       // of the host's fully qualified name; empty: it has none

	uplinks *uplinks
}

// ReadHost finds out what the host uses itself: the servers that systemd-resolved got from its links, or else those of
// /etc/resolv.conf, and where /etc/localtime points to.
func ReadHost(root fs.FS) Host {
	h := Host{NTP: timeServers(root), uplinks: &uplinks{root: root, read: map[string]Uplink{}}}
	for _, path := range []string{"run/systemd/resolve/resolv.conf", "etc/resolv.conf"} {
		data, err := fs.ReadFile(root, path)
		if h.DNS = Nameservers(data); err == nil && len(h.DNS) > 0 {
			break
		}
	}
	h.readResolver6(root)
	if target, err := fs.ReadLink(root, "etc/localtime"); err == nil {
		if _, zone, found := strings.Cut(target, "/zoneinfo/"); found && ValidTimezone(zone) {
			h.Timezone = zone
		}
	}
	if name, err := fs.ReadFile(root, "proc/sys/kernel/hostname"); err == nil {
		if _, domain, _ := strings.Cut(strings.TrimSpace(string(name)), "."); validDomain(domain) {
			h.Domain = domain
		}
	}
	return h
}

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
