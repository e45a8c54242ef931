package container

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"nspawnkit/container/kernel"
	"nspawnkit/dhcp/client"
	"nspawnkit/network"
	"nspawnkit/network/kernel/link"
)

// An init looks after the network itself. A payload that is none mostly does not: so the supervisor is the DHCP client of its link, from
// the host (systemd issue 42133), and goes on to be it while the payload runs.

// dhcpPlan says for which link of the container an address is asked for.
type dhcpPlan struct {
	Link        string
	Sure        bool // DHCP=yes, or networkd-lite runs: there is a server
	Shared      bool // the link has no hardware address of its own
	NameServers bool // of the lease go to resolv.conf
	KeepNames   bool // unless the image has some there
}

// networkdLinks is where systemd-networkd writes down what it does about each link of the host, in a file named by its index.
const networkdLinks = "/run/systemd/netif/links"

// decideDHCP decides whether the container needs a DHCP client. With DHCP=auto that is only where a server is to be expected: nobody is
// to wait for one that is not there.
func (p *Plan) decideDHCP(host *Host) {
	n := &p.Settings.Network
	asked := n.DHCP == "yes"
	own := n.VirtualEthernet && (n.Bridge == "" || n.Zone != "")
	switch {
	case !p.Inside.PrivateNetwork || n.DHCP == "no":
		return
	case asked:
	case p.Settings.Exec.Boot || !own || len(n.Address) > 0 || !host.HasNetworkdLite && !host.HasNetworkdLink:
		return
	}
	d := &dhcpPlan{Link: network.ContainerLink, Sure: asked || host.HasNetworkdLite, KeepNames: !asked}
	d.NameServers = len(n.DNS) == 0 && ours(p.Settings.Exec.ResolvConf)
	if !n.VirtualEthernet {
		d.Link, d.Shared = p.uppers[0].link.Name, p.uppers[0].link.Kind == "ipvlan"
	}
	p.dhcp, p.Inside.DHCP = d, true
	if d.NameServers {
		p.Inside.NameServers, p.Inside.KeepNameServers = true, d.KeepNames
	}
}

// leasePatience is how long a payload waits for its address. A server on the same host needs milliseconds, one that has to see first whether
// an address is free some hundred; a message that is lost is sent again five times in that time. Without an answer the payload starts, and
// gets its address when there is one.
const leasePatience = 5 * time.Second

// networkdPatience is how long systemd-networkd has to take notice of a link. If it does not, it does not run.
const networkdPatience = time.Second

// prepareLease brings up the link, so that the host's side may come up, too.
func (s *Supervisor) prepareLease() error {
	d := s.plan.dhcp
	namespace, err := s.child.OpenNamespace("net")
	if err != nil {
		return err
	}
	s.lease = &lease{
		Client: client.Client{State: client.Selecting, Identity: client.Identity{HostName: dhcpHostName(s.plan.Inside.Hostname), Broadcast: d.Shared}},
		Link:   d.Link, Namespace: kernel.File{File: namespace}, Root: s.plan.Users.Start,
		NameServers: d.NameServers, KeepNames: d.KeepNames,
	}
	inside, err := link.OpenAt(namespace)
	if err != nil {
		return err
	}
	defer inside.Close()
	index, hardware, err := inside.Prepare(d.Link)
	if err != nil {
		return err
	}
	if len(hardware) != 6 {
		return fmt.Errorf("%s is not an Ethernet link", d.Link)
	}
	s.lease.Index = index
	copy(s.lease.Client.Hardware[:], hardware)
	if d.Shared { // RFC 2132, section 9.14, type 0: no hardware address
		s.lease.Client.Identifier = append([]byte{0}, s.plan.Settings.Machine...)
	}
	return nil
}

// dhcpHostName returns the first label of a host name, such as servers are told.
func dhcpHostName(name string) string {
	label, _, _ := strings.Cut(name, ".")
	return label[:min(len(label), 63)]
}

// obtainLease waits for an address, but not for ever.
func (s *Supervisor) obtainLease() error {
	l := s.lease
	began := now()
	l.Client.Began = began
	if err := l.begin(); err != nil {
		return s.withoutLease(err)
	}
	patience := time.After(leasePatience)
	for l.Client.Lease == nil {
		var change client.Change
		var err error
		select {
		case <-l.due():
			if s.unserved(now() - began) {
				return s.endLease()
			}
			change, err = l.act(now())
		case message := <-l.messages():
			change = l.receive(message, now())
		case carrier := <-l.carriers():
			l.setCarrier(carrier)
		case <-patience:
			s.log(Warning, fmt.Sprintf("%s: no DHCP server has answered within %s: the payload starts without an address, and gets one when there is one "+
				"(\"networkd-lite doctor %s\" says what is wrong; with DHCP=no in [Network] nobody waits)", l.Link, leasePatience, s.plan.Settings.Machine))
			return nil
		}
		if err != nil {
			return s.withoutLease(err)
		}
		if err := l.apply(change); err != nil {
			s.log(Warning, err.Error())
		}
	}
	if l.NameServers {
		s.nameServers = l.resolvConf()
		l.Written = s.nameServers
	}
	return nil
}

// withoutLease goes on without: that is no reason not to start.
func (s *Supervisor) withoutLease(err error) error {
	s.log(Warning, fmt.Sprintf("cannot get an address by DHCP, ignoring: %v", err))
	return s.endLease()
}

// unserved reports whether systemd-networkd, which was to be the server, has nothing to do with the host's side of the link.
func (s *Supervisor) unserved(waited time.Duration) bool {
	if s.plan.dhcp.Sure || len(s.interfaces) == 0 {
		return false
	}
	state, err := os.ReadFile(networkdLinks + "/" + strconv.Itoa(s.interfaces[0]))
	if err != nil {
		return waited > networkdPatience
	}
	return bytes.Contains(state, []byte("ADMIN_STATE=unmanaged\n"))
}
