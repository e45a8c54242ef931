package network

import "strings"

// HostForwarding returns the sysctls that switch on forwarding on the host as a whole, where it is off.
//
// A host that forwards IPv6 no longer takes router advertisements where accept_ra is 1, so it would lose its own default route
// (systemd#37029): its uplinks get 2 first (Documentation/networking/ip-sysctl, accept_ra). They are the links with a route from an
// advertisement among routes6, and hardware, which may wait for its first one. Other links keep 1, which then means
// no: behind a bridge or a veth there may be somebody who must not become the host's router (CVE-2020-13401). Where forwarding is
// on already, 1 is what somebody wanted and stays.
func HostForwarding(on Families, links []Link, routes6 func() ([]Route, error), get func(path string) (string, error)) ([]Sysctl, error) {
	var list []Sysctl
	if on.IPv4 {
		list = differing([]Sysctl{{"net/ipv4/ip_forward", "1"}}, get)
	}
	if !on.IPv6 {
		return list, nil
	}
	all := differing([]Sysctl{{"net/ipv6/conf/all/forwarding", "1"}}, get)
	if len(all) == 0 {
		return list, nil
	}
	routes, err := routes6()
	if err != nil {
		return nil, err
	}
	uplinks := map[int]bool{}
	for _, r := range routes {
		uplinks[r.Link] = uplinks[r.Link] || r.Advertised
	}
	for _, l := range links {
		path := "net/ipv6/conf/" + l.Name + "/accept_ra"
		if value, err := get(path); err == nil && strings.TrimSpace(value) == "1" && !l.Served() && (uplinks[l.Index] || l.hardware()) {
			list = append(list, Sysctl{path, "2"})
		}
	}
	return append(list, all...), nil
}

// hardware reports whether the link is no virtual one.
func (l Link) hardware() bool { return l.Kind == "" && l.HardwareAddr != HardwareAddr{} }
