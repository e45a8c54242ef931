package container

import (
	"encoding/hex"
	"fmt"
	"net"

	"nspawnkit/network"
	"nspawnkit/settings"
)

// describeMachine names the container's links and addresses as systemd-nspawn does.
func describeMachine(s *settings.Settings, hostID string) (network.Machine, []upper, error) {
	machine := network.Machine{Version: network.MachineVersion, Name: s.Machine, Zone: s.Network.Zone, Links: []network.MachineLink{}}
	machine.Interfaces = describeInterfaces(s)
	var id [16]byte
	hashes := s.Network.VirtualEthernet || len(s.Network.VirtualEthernetExtra)+len(s.Network.MACVLAN) > 0
	if _, err := hex.Decode(id[:], []byte(hostID)); hashes && (err != nil || len(hostID) != 32) {
		return machine, nil, fmt.Errorf("the host has no machine ID, so its containers have no stable addresses: run systemd-machine-id-setup")
	}
	if s.Network.VirtualEthernet {
		machine.Links = append(machine.Links, mainLink(s, id))
	}
	for i, extra := range s.Network.VirtualEthernetExtra {
		host, container := network.ExtraHardwareAddrs(id, s.Machine, uint64(i))
		machine.Links = append(machine.Links, machineLink(extra.Host, extra.Container, host, container))
	}
	for _, p := range s.Network.Ports {
		machine.Ports = append(machine.Ports, machinePort(p))
	}
	return machine, describeUppers(s, id), nil
}

func machinePort(p settings.Port) network.MachinePort {
	port := network.MachinePort{
		Protocol: p.Protocol, Address: p.Address, Host: p.Host, Container: p.Container, Origin: p.Origin.String(),
	}
	if p.Count > 1 {
		port.Count = p.Count
	}
	return port
}

// mainLink is the link of VirtualEthernet=, which is a port of a bridge with Bridge= or Zone=.
func mainLink(s *settings.Settings, id [16]byte) network.MachineLink {
	prefix, bridge := network.VethPrefix, s.Network.Bridge
	if s.Network.Zone != "" {
		bridge = network.ZoneBridgeName(s.Network.Zone)
	}
	if bridge != "" {
		prefix = network.BridgePrefix
	}
	name, altname := network.HostLinkName(prefix, s.Machine)
	host, container := network.HardwareAddrs(id, s.Machine)
	link := machineLink(name, network.ContainerLink, host, container)
	link.Addresses, link.DNS = s.Network.Address, s.Network.DNS
	if s.Network.MACAddress != "" {
		link.ContainerMAC = s.Network.MACAddress
	}
	link.HostAltName, link.Bridge = altname, bridge
	return link
}

func machineLink(hostName, containerName string, host, container net.HardwareAddr) network.MachineLink {
	return network.MachineLink{
		Host: hostName, HostMAC: host.String(), Container: containerName, ContainerMAC: container.String(),
	}
}
