package network

import "net/netip"

// MachinesDirectory holds one NAME.json for each running container with a private network.
const MachinesDirectory = "/" + machinesPath

// MachineVersion is the version of the schema of [Machine], described in docs/machines.md.
const MachineVersion = 1

// Machine is what networkd-lite must know of a running container. nspawn-exec writes it to
// /run/nspawnkit/machines/NAME.json before the first link appears and removes it when the container has ended.
type Machine struct {
	Version int           `json:"version"`
	Name    string        `json:"name"`
	Zone    string        `json:"zone,omitempty"` // without "vz-"
	Links   []MachineLink `json:"links"`
	Ports   []MachinePort `json:"ports,omitempty"`

	// Began is when the container was started, in nanoseconds of CLOCK_BOOTTIME (clock_gettime(2)), which nobody sets: of two
	// containers that want one port the earlier has it.
	Began int64 `json:"began,omitempty"`

	ZoneAccess []string           `json:"zoneAccess,omitempty"` // zones that the container reaches, without "vz-"
	HostAccess *MachineAccess     `json:"hostAccess,omitempty"` // nil: it reaches everything of the host
	Interfaces []MachineInterface `json:"interfaces,omitempty"` // of the host, which the container has for the time being
}

// MachineInterface is an interface of the host that is moved into the container, and back when that has ended.
type MachineInterface struct {
	Host      string `json:"host"`            // its name on the host, before and after
	Container string `json:"container"`       // in the container, which may change it
	Index     int    `json:"index,omitempty"` // in the container; 0: not moved yet
}

// MachineLink is one pair of virtual Ethernet devices.
type MachineLink struct {
	Host         string `json:"host"`                  // "ve-web", "vb-web"
	HostAltName  string `json:"hostAltName,omitempty"` // "ve-" and the whole name, where Host had to be cut
	HostMAC      string `json:"hostMAC"`               // hardware address of the host side
	Container    string `json:"container"`             // "host0"
	ContainerMAC string `json:"containerMAC"`          // hardware address of the container side
	Bridge       string `json:"bridge,omitempty"`      // "vz-app" or the bridge of Bridge=

	Addresses []netip.Prefix `json:"addresses,omitempty"` // fixed ones of the container side
	DNS       []netip.Addr   `json:"dns,omitempty"`       // name servers that the container is to use
}

// MachinePort is one Port= line.
type MachinePort struct {
	Protocol  string     `json:"protocol"`         // "tcp", "udp" or "sctp"
	Address   netip.Addr `json:"address,omitzero"` // of the host; zero: all of IPv4 and IPv6
	Host      uint16     `json:"host"`             // the first
	Container uint16     `json:"container"`        // the first
	Count     uint16     `json:"count,omitempty"`  // number of ports; 0 is 1
	Origin    string     `json:"origin,omitempty"` // where it is set, for messages: "web.nspawn:3"
}
