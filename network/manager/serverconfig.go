package manager

import (
	"net"
	"net/netip"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/settings"
)

// hostNow returns what the host uses itself, read once in each look.
func (m *Manager) hostNow() network.Host {
	if m.host == nil {
		host := m.Host()
		m.host = &host
	}
	return *m.host
}

// serverConfig says what the DHCP server at address is to do by a .network file; host fills in what the file leaves open. The problems
// are what of the file does not fit the address.
func serverConfig(l network.Link, address netip.Prefix, s *network.DHCPServer, host network.Host) (dhcp.Config, []settings.Problem) {
	config := dhcp.Config{
		Link:              l.Name,
		ServerAddress:     address,
		PoolOffset:        s.PoolOffset,
		PoolSize:          s.PoolSize,
		DefaultLeaseTime:  min(s.DefaultLease, s.MaxLease),
		MaxLeaseTime:      s.MaxLease,
		BootServerAddress: s.BootServerAddress,
		BootServerName:    s.BootServerName,
		BootFilename:      s.BootFilename,
		IPv6OnlyPreferred: s.IPv6OnlyPreferred,
		SendOption:        dhcpv4.Options(s.SendOption),
		SendVendorOption:  dhcpv4.Options(s.SendVendorOption),
		RapidCommit:       s.RapidCommit,
		RelayTarget:       s.RelayTarget, RelayAgentCircuitID: s.RelayAgentCircuitID, RelayAgentRemoteID: s.RelayAgentRemoteID,
	}
	if strings.HasPrefix(l.Name, network.VethPrefix) && s.PoolSize == 0 {
		// One machine is at the other end: it keeps its address whatever it calls itself, and cannot use up the pool. Who
		// has more machines behind the link says how many, with PoolSize=.
		config.MaxLeases = 1
	}
	if s.EmitRouter {
		config.Router = s.Router
		if !s.Router.IsValid() {
			config.Router = address.Addr()
		}
	}
	if s.EmitTimezone {
		config.Timezone = s.Timezone
		if s.Timezone == "" {
			config.Timezone = host.Timezone
		}
	}
	if s.EmitDomain {
		config.Domain = s.Domain
		if s.Domain == "" {
			config.Domain = host.Domain
		}
	}
	addServers(&config, s, host)
	leases, problems := s.LeasesWithin(address)
	for _, lease := range leases {
		config.StaticLeases = append(config.StaticLeases, dhcp.StaticLease{
			MACAddress: lease.MACAddress, Address: lease.Address, Hostname: lease.Hostname,
		})
	}
	return config, problems
}

// addServers sets the servers that clients are told of: those of the file, or else those that the uplink was told of, or else the
// host's own.
func addServers(config *dhcp.Config, s *network.DHCPServer, host network.Host) {
	uplink := host.Uplink(s.Uplink)
	if s.Uplink == ":auto" && len(uplink.NTP) == 0 {
		uplink.NTP = host.NTP
	}
	if len(uplink.DNS) == 0 {
		uplink.DNS = host.DNS
	}
	for _, servers := range []struct {
		into   *[]netip.Addr
		file   network.Servers
		uplink []netip.Addr
	}{
		{&config.DNS, s.DNS, uplink.DNS},
		{&config.NTP, s.NTP, uplink.NTP},
		{&config.SIP, s.SIP, uplink.SIP},
		{&config.POP3, s.POP3, nil},
		{&config.SMTP, s.SMTP, nil},
		{&config.LPR, s.LPR, nil},
	} {
		switch {
		case !servers.file.Emit:
		case len(servers.file.Addresses) == 0:
			*servers.into = servers.uplink
		default:
			*servers.into = nil
			for _, a := range servers.file.Addresses {
				if a.IsUnspecified() {
					a = config.ServerAddress.Addr()
				}
				*servers.into = append(*servers.into, a)
			}
		}
	}
}

// containersOf returns whose the hardware addresses are that the containers of a bridge have. A second link of a container to the same
// bridge has leases of its own.
func containersOf(bridge string, machines network.Machines) map[dhcp.HardwareAddr]string {
	names := map[dhcp.HardwareAddr]string{}
	for _, machine := range machines {
		first := true
		for _, link := range machine.Links {
			hardware, err := net.ParseMAC(link.ContainerMAC)
			if link.Bridge != bridge || err != nil || len(hardware) != len(dhcp.HardwareAddr{}) {
				continue
			}
			name := machine.Name
			if !first {
				name += "/" + link.Container
			}
			names[dhcp.HardwareAddr(hardware)], first = name, false
		}
	}
	return names
}
