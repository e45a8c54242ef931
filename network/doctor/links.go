package doctor

import (
	"fmt"
	"net/netip"
	"slices"
)

func daemon(f *Facts) Hop {
	if !f.Running {
		return fail("systemctl start networkd-lite", "networkd-lite does not run")
	}
	return ok("networkd-lite runs")
}

func link(f *Facts) Hop {
	switch {
	case !f.Link.Exists && f.Container == "":
		return unknown("no link to try")
	case !f.Link.Exists:
		return fail("systemctl status systemd-nspawn@"+f.Container, "the container %s has no link: it does not run, or has no private network (VirtualEthernet=yes)", f.Container)
	case !f.Link.Up:
		return fail("ip link set "+f.Link.Name+" up", "%s is down", f.Link.Name)
	case f.Server.Name != f.Link.Name && !f.Server.Exists:
		return fail("ip link show "+f.Link.Name, "%s is a port of no bridge", f.Link.Name)
	case f.Server.Name != f.Link.Name && !f.Server.Up:
		return fail("ip link set "+f.Server.Name+" up", "%s, the bridge of %s, is down", f.Server.Name, f.Link.Name)
	case f.Server.Name != f.Link.Name:
		return ok("%s is up, a port of %s", f.Link.Name, f.Server.Name)
	}
	return ok("%s is up", f.Link.Name)
}

func owner(f *Facts) Hop {
	s := f.Server.Status
	switch {
	case f.NetworkManager.Link != "":
		return f.NetworkManager.managed()
	case s == nil:
		return unknown("not known")
	case s.Failed && s.Owner == "systemd-networkd":
		return fail("networkctl status "+f.Server.Name+"; "+readNetworkd, "systemd-networkd, which looks after %s, could not set it up", f.Server.Name)
	case s.Failed:
		return fail(readLog, "%s: %s", f.Server.Name, s.Text)
	}
	if second, found := f.second(); found {
		return f.twice(second)
	}
	switch {
	case s.Owner == "":
		return fail("ls /etc/systemd/network /run/systemd/network /usr/lib/nspawnkit/network",
			"nobody looks after %s: no .network file matches it, or one that hides ours", f.Server.Name)
	case s.File == "":
		return ok("%s looks after %s", s.Owner, f.Server.Name)
	}
	return ok("%s looks after %s, by %s", s.Owner, f.Server.Name, s.File)
}

func carrier(f *Facts) Hop {
	switch {
	case !f.Link.Exists || !f.Link.Up:
		return unknown("not tried")
	case !f.Link.Carrier:
		return fail(f.startClient(), "the container's side of %s is down: no network client runs in the container", f.Link.Name)
	}
	return ok("the container's side is up")
}

func address(f *Facts) Hop {
	if !f.Server.Exists {
		return unknown("not tried")
	}
	if i := slices.IndexFunc(f.Server.Addresses, isIPv4); i >= 0 {
		return ok("%s has %v", f.Server.Name, f.Server.Addresses[i])
	}
	return fail(readLog, "%s has no IPv4 address on the host", f.Server.Name)
}

func isIPv4(p netip.Prefix) bool { return p.Addr().Is4() && !p.Addr().IsLinkLocalUnicast() }

func dhcp(f *Facts) Hop {
	status := f.Server.Status
	beside, crowded := f.everywhere(dhcpPort)
	switch {
	case f.offeredByOther():
		return f.anotherServer()
	case f.DHCP.Offered.IsValid() && crowded:
		return ok("%v offers %v, beside %s, which has port 67 of all links", f.DHCP.Server, f.DHCP.Offered, beside)
	case f.DHCP.Offered.IsValid():
		return ok("%v offers %v", f.DHCP.Server, f.DHCP.Offered)
	case !f.DHCP.Tried:
		return unknown("not tried")
	case status != nil && status.Owner == "networkd-lite" && !status.DHCPServer:
		return unknown("%s says DHCPServer=no", status.File)
	case f.Pool.exhausted():
		return f.none()
	case len(chains(f.Foreign, true)) > 0:
		foreign := chains(f.Foreign, true)[0]
		return fail(foreign.Allow, "no answer to a DHCPDISCOVER from %s: %s (%s) may drop what comes in", f.Inside.Interface, foreign.Chain, foreign.Rule)
	}
	if status != nil && status.Owner == "systemd-networkd" {
		return f.networkdSilent()
	}
	text := fmt.Sprintf("no answer to a DHCPDISCOVER from %s: the server does not run, or a firewall of the host drops UDP port 67", f.Inside.Interface)
	if crowded {
		text += "; port 67 of all links is that of " + beside.String()
	}
	return fail(readLog+"; nft list ruleset", "%s", text)
}

func container(f *Facts) Hop {
	in := f.Inside
	switch {
	case !in.Found && f.Link.Exists:
		return unknown("no process of the container was found")
	case !in.Found:
		return unknown("not tried")
	case len(in.Addresses) == 0 && f.Declined.Address.IsValid():
		return f.declined()
	case len(in.Addresses) == 0 && f.DHCP.Offered.IsValid():
		return fail(f.startClient(), "%s has no IPv4 address although DHCP offers one: no DHCP client runs in the container", in.Interface)
	case len(in.Addresses) == 0:
		return fail(f.startClient(), "%s has no IPv4 address", in.Interface)
	case !in.Router.IsValid():
		return fail(f.startClient(), "%s has %v, but the container has no default route", in.Interface, in.Addresses[0])
	}
	return ok("%s has %v, default route by %v", in.Interface, in.Addresses[0], in.Router)
}

func gateway(f *Facts) Hop { return f.Gateway.hop("ARP") }

// hop is that of the host, which at least answers who asks for its hardware address by the protocol.
func (g Reachable) hop(protocol string) Hop {
	switch {
	case !g.Tried:
		return unknown("not tried")
	case g.Answers:
		return ok("%v answers", g.Address)
	case g.Neighbour:
		return ok("%v answers %s, though not ping", g.Address, protocol)
	}
	return fail("nft list ruleset", "%v, the host, does not answer the container", g.Address)
}
