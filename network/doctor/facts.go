package doctor

import "net/netip"

// Facts are what was found out about a container's network. What could not be found out is left at zero.
type Facts struct {
	Container string // its name; empty: a probe stands for one
	Running   bool   // networkd-lite does
	Fixed     bool   // it has a fixed IPv4 address, and needs no lease
	Link      Link   // the host side of the container's link
	Server    Link   // which has the addresses and the DHCP server: the link itself, or the bridge it is a port of
	Inside    Inside
	DHCP      DHCP
	Gateway   Reachable // the host, seen from inside
	Sysctls   map[string]string

	ReverseLink string // through which the host sends packets to the container's address; empty: none

	Table   Table
	Foreign []Foreign // of IPv4
	Outside []Path    // to what is beyond the host
	DNS     []Path    // to the servers that DHCP names
	Ports   []Port

	NetworkManager NetworkManager
	Bridge         Bridge // where the link is a port of one

	Pool   Pool     // where no address was offered
	Rivals []Holder // others who have the first address of the container

	Declined Decline

	Listeners []Listener
	Resolvers []Resolver // in the order in which they are asked

	IPv6 IPv6
}

// Link is a link of the host.
type Link struct {
	Name        string
	Exists      bool
	Up, Carrier bool
	Addresses   []netip.Prefix
	Status      *Status // nil: networkd-lite does not run, or does not know the link
}

// Status is what networkd-lite says about a link.
type Status struct {
	Owner      string // "networkd-lite", "systemd-networkd"; empty: nobody looks after the link
	File       string // the .network file
	Text       string
	Failed     bool
	DHCPServer bool
	DNSServer  []netip.Addr
	Masquerade bool // IPv4

	Masquerade6 bool
	Problems    []string
	Declined    netip.Addr // the address that the DHCP client of the container declined last, having got none since
}

// Inside is the container's side of the link.
type Inside struct {
	Found     bool // the container's network namespace
	Interface string
	Up        bool
	Addresses []netip.Prefix // IPv4, without link-local ones
	Router    netip.Addr     // of the default route; zero: none
}

// DHCP is what came of a DHCPDISCOVER from inside.
type DHCP struct {
	Tried   bool
	Offered netip.Addr // zero: no answer
	Server  netip.Addr
	DNS     []netip.Addr

	ServerIsHost bool // at whichever of its addresses
	Relayed      bool // the .network file has another server asked (RelayTarget=)
}

// Reachable says whether something answers.
type Reachable struct {
	Tried     bool
	Address   netip.Addr
	Answers   bool // to what was sent
	Neighbour bool // it answers ARP, or neighbour discovery, at least
}

// Table says what of the nft table of ours is there.
type Table struct {
	Known       bool
	Exists      bool
	Masquerades bool // packets from the link, IPv4

	Masquerades6 bool // the same of IPv6
}

// Foreign is a base chain of somebody else that may drop packets of containers.
type Foreign struct {
	Chain string // "table inet filter, chain forward"
	Rule  string // "policy drop", or the text of the rule
	Allow string // the command that would allow the packets; empty: none is known

	AllowBridge string // the one that would allow frames between the ports of the bridge
	Input       bool   // of what comes in to the host; otherwise, of what it forwards

	Certain bool // it drops the packets; otherwise it may
}

// Path is one that was tried from the host and from inside the container.
type Path struct {
	Target       string // "203.0.113.1"
	Host, Inside Result
}

// Result is what came of one attempt.
type Result string

// The results of an attempt.
const (
	NotTried Result = ""
	Answer   Result = "answer"
	Silence  Result = "no answer"
	Refused  Result = "refused" // something is there, but not the service
)

// Port is a published port.
type Port struct {
	Host, Container uint16
	Inside          Result // of a connection to the container's address
	Published       Result // of one to the port of the host
}
