package doctor

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Program is one of the host.
type Program struct {
	Name string // safe to print
	PID  int
	Unit string // of systemd; empty: not known
}

// String is "dnsmasq (PID 12, dnsmasq.service)".
func (p Program) String() string {
	switch {
	case p.PID == 0:
		return "a program that cannot be found"
	case p.Unit == "":
		return fmt.Sprintf("%s (PID %d)", p.Name, p.PID)
	}
	return fmt.Sprintf("%s (PID %d, %s)", p.Name, p.PID, p.Unit)
}

// stop is how to end it.
func (p Program) stop() string {
	switch {
	case p.Unit != "":
		return "systemctl stop " + p.Unit
	case p.PID != 0:
		return fmt.Sprintf("kill %d", p.PID)
	}
	return "ss -ulpn"
}

// Listener is another program than the networkd-lite that runs, at a port for DHCP or DNS.
type Listener struct {
	Program
	Port    uint16
	Address netip.Addr // unspecified: all
	OnLink  bool       // it listens on the link, and no other
}

const dhcpPort, dnsPort = 67, 53

// networkdName is what systemd-networkd is called in the process list, which has room for 15 characters.
const networkdName = "systemd-network"

// second returns a DHCP server on the link beside that of its owner. One whose program is not found has gone meanwhile.
func (f *Facts) second() (Listener, bool) {
	s := f.Server.Status
	at := slices.IndexFunc(f.Listeners, func(l Listener) bool {
		return l.Port == dhcpPort && l.OnLink && l.PID != 0 && s != nil && (s.Owner == "networkd-lite" || s.Owner == "systemd-networkd" && l.Name != networkdName)
	})
	if at < 0 {
		return Listener{}, false
	}
	return f.Listeners[at], true
}

// twice is the hop of an owner beside which another program serves the link.
func (f *Facts) twice(second Listener) Hop {
	fix := second.stop()
	if second.Name == networkdName {
		fix = "busctl status org.freedesktop.network1; systemctl restart networkd-lite   # which does not know that systemd-networkd has the link"
	}
	return fail(fix, "%s serves %s, too, beside %s: one of them is too many", second, f.Server.Name, f.Server.Status.Owner)
}

// readNetworkd is the log of systemd-networkd.
const readNetworkd = "journalctl -u systemd-networkd"

// networkdSilent is the hop of a link that systemd-networkd looks after, and without an answer to a DHCPDISCOVER.
func (f *Facts) networkdSilent() Hop {
	file := cmp.Or(f.Server.Status.File, "its .network file")
	if slices.ContainsFunc(f.Listeners, func(l Listener) bool { return l.Port == dhcpPort && l.OnLink && l.Name == networkdName }) {
		return fail(readNetworkd+"; nft list ruleset", "no answer to a DHCPDISCOVER from %s: systemd-networkd serves %s, by %s, but a firewall of the host drops UDP port 67, "+
			"or no address is left", f.Inside.Interface, f.Server.Name, file)
	}
	return fail("networkctl status "+f.Server.Name+"   # its .network file has no DHCPServer=yes, or another one is to match", "no answer to a DHCPDISCOVER from %s: "+
		"systemd-networkd looks after %s, by %s, and runs no DHCP server there", f.Inside.Interface, f.Server.Name, file)
}

// everywhere returns who else listens at a port of all links, or at the address of this one.
func (f *Facts) everywhere(port uint16) (Listener, bool) {
	at := slices.IndexFunc(f.Listeners, func(l Listener) bool {
		return l.Port == port && !l.OnLink && (l.Address.IsUnspecified() || f.isHost(l.Address))
	})
	if at < 0 {
		return Listener{}, false
	}
	return f.Listeners[at], true
}

// offeredByOther reports whether another server than that of networkd-lite made the offer.
func (f *Facts) offeredByOther() bool {
	s := f.Server.Status
	return f.DHCP.Offered.IsValid() && s != nil && s.Owner == "networkd-lite" && !f.DHCP.Relayed &&
		slices.ContainsFunc(f.Server.Addresses, isIPv4) && !f.isHost(f.DHCP.Server)
}

// anotherServer is the hop of a DHCPOFFER from somebody else.
func (f *Facts) anotherServer() Hop {
	server := f.DHCP.Server
	if f.DHCP.ServerIsHost {
		if l, found := f.everywhere(dhcpPort); found {
			return fail(l.stop(), "%s, at %v, offers %v on %s, in place of networkd-lite", l, server, f.DHCP.Offered, f.Server.Name)
		}
	}
	return fail("tcpdump -eni "+f.Server.Name+" udp port 67", "%v, which is not the host, offers %v on %s: another machine is a DHCP server there", server, f.DHCP.Offered, f.Server.Name)
}

// names looks at the DNS server of the link, which knows the names of containers.
func names(f *Facts) Hop {
	s := f.Server.Status
	switch {
	case s == nil || s.Owner == "" || !f.Server.Exists:
		return unknown("not known")
	case len(s.DNSServer) > 0:
		return ok("the names of containers are served at %v", s.DNSServer[0])
	case s.Owner == "networkd-lite" && !s.DHCPServer:
		return unknown("no DHCP server tells containers whom to ask")
	}
	if l, found := f.everywhere(dnsPort); found {
		where := "all links"
		if !l.Address.IsUnspecified() {
			where = l.Address.String()
		}
		return fail(l.makeRoom(), "%s has port 53 of %s: containers are told of the host's DNS servers, and cannot find each other by name", l, where)
	}
	if s.Owner == "systemd-networkd" {
		return unknown("no .network file of networkd-lite with DHCPServer=yes matches %s", f.Server.Name)
	}
	return fail(readLog, "no DNS server runs at %s: containers cannot find each other by name", f.Server.Name)
}

// makeRoom is how the DNS server leaves the links of containers alone.
func (l Listener) makeRoom() string {
	const reload = "systemctl reload networkd-lite"
	if l.PID == 0 {
		return "ss -lpn 'sport = 53'"
	}
	switch strings.ToLower(l.Name) {
	case "dnsmasq":
		return `printf 'bind-dynamic\nexcept-interface=ve-*\nexcept-interface=vz-*\n' >/etc/dnsmasq.d/nspawnkit.conf && systemctl restart dnsmasq && ` + reload
	case "named":
		return "write listen-on { 127.0.0.1; }; in options of named.conf, with the addresses that it is to have; systemctl restart named && " + reload
	case "unbound":
		return "write interface: 127.0.0.1 in server: of unbound.conf, for each address that it is to have; systemctl restart unbound && " + reload
	}
	return "have it listen at its own addresses only, or: " + l.stop() + " && " + reload
}
