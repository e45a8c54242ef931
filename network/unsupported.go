package network

import (
	"errors"
	"fmt"
	"slices"
)

// unsupported is a key that is known and not honoured.
type unsupported struct{ section, name, why string }

// unsupportedKeys are keys of systemd.network(5) that are not honoured, and why, or what to use in the place of them.
var unsupportedKeys = [...]unsupported{
	{"Link", "RequiredFamilyForOnline", "nothing waits for links of containers"},

	{"Network", "IPv4LLStartAddress", "it sets no IPv4 link-local address"},
	{"Network", "IPv6StableSecretAddress", "say how with IPv6LinkLocalAddressGenerationMode="},
	{"Network", "LLMNR", "use resolvectl(1)"},
	{"Network", "MulticastDNS", "use resolvectl(1)"},
	{"Network", "DNSOverTLS", "use resolvectl(1)"},
	{"Network", "DNSSEC", "use resolvectl(1)"},
	{"Network", "DNSSECNegativeTrustAnchors", "use resolvectl(1)"},
	{"Network", "BindCarrier", "links of containers come up with the container"},
	{"Network", "UseDomains", noClient},
	{"Network", "NTP", "systemd-timesyncd hears of it from systemd-networkd only: say it in timesyncd.conf(5)"},
	{"Network", "IPv4DuplicateAddressDetectionTimeoutSec", "it does not look for duplicates of the host's IPv4 addresses"},
	{"Network", "BatmanAdvanced", inNothing},
	{"Network", "Bond", inNothing},
	{"Network", "Bridge", inNothing},
	{"Network", "VRF", inNothing},
	{"Network", "IPoIB", noNetdevs},
	{"Network", "IPVLAN", noNetdevs},
	{"Network", "IPVTAP", noNetdevs},
	{"Network", "L2TP", noNetdevs},
	{"Network", "MACsec", noNetdevs},
	{"Network", "MACVLAN", noNetdevs},
	{"Network", "MACVTAP", noNetdevs},
	{"Network", "Tunnel", noNetdevs},
	{"Network", "VLAN", noNetdevs},
	{"Network", "VXLAN", noNetdevs},
	{"Network", "Xfrm", noNetdevs},
	{"Network", "ProxyNeighbor", "IPv4ProxyARP= answers for all that the host reaches"},
	{"Network", "IPv6ProxyNDPAddress", "since systemd 262 it is ProxyNeighbor=, and not supported either"},

	{"Address", "NetLabel", "use netlabelctl(8)"},
	{"Address", "NFTSet", "rules of your own can name the link (iifname, oifname)"},

	// Older than those of systemd 252, whose manual has them no more.
	{"Network", "IPv6Token", "since systemd 250 it is Token= of [IPv6AcceptRA], and " + noClient},
	{"Network", "IPv6PrefixDelegation", "since systemd 247 it is IPv6SendRA="},
	{"Address", "PrefixRoute", "since systemd 245 it is AddPrefixRoute=, the other way round"},
	{"Route", "TTLPropagate", "Linux has it for MPLS only, and systemd does not honour it any more"},
}

// refusedKeys are keys of which only a value is taken that asks for nothing.
var refusedKeys = [...]key{
	{"Match", "Property", cannotTest},
	{"Match", "Credential", cannotTest},
	{"Network", "IPv6AcceptRA", onlyNo},                   // a container must not become the host's router
	{"Network", "IPv6AcceptRouterAdvertisements", onlyNo}, // before systemd 231
	{"Network", "DHCP", onlyNo},
	{"Network", "IPv4LLRoute", onlyNo},
	{"Network", "DHCPPrefixDelegation", onlyNo},
	{"Network", "ActiveSlave", onlyNo},
	{"Network", "PrimarySlave", onlyNo},
	{"Network", "DHCPv6PrefixDelegation", onlyNo},
	{"Network", "IPv4LL", onlyNo},
	{"Link", "RequiredForOnline", onlyNo}, // nothing waits for these links
}

const (
	noClient  = "it is no client on links of containers"
	noNetdevs = "it reads no .netdev files"
	inNothing = "it moves no link into another one: Bridge= of systemd.nspawn(5) does"
)

// unsupportedSections are sections of systemd.network(5) of which no key is honoured, and why.
var unsupportedSections = [...]struct {
	why   string
	names []string
}{
	{noClient, []string{"DHCPv4", "DHCPv6", "DHCPPrefixDelegation", "IPv6AcceptRA", "DHCP", "DHCPv6PrefixDelegation"}},
	{"since systemd 247 it is [IPv6SendRA]", []string{"IPv6PrefixDelegation"}},
	{"links of containers are nothing of the kind", []string{"SR-IOV", "CAN", "IPoIB", "MobileNetwork"}},
	{"use ip-neighbour(8)", []string{"Neighbor"}},
	{"use ip-addrlabel(8)", []string{"IPv6AddressLabel"}},
	{"use ip-rule(8)", []string{"RoutingPolicyRule"}},
	{"use bridge(8)", []string{"BridgeFDB", "BridgeMDB", "BridgeVLAN"}},
	{"it relays by RelayTarget= of [DHCPServer] only", []string{"DHCPRelay"}},
	{"it shapes no traffic: use tc(8)", []string{
		"QDisc", "NetworkEmulator", "TokenBucketFilter", "PIE", "FlowQueuePIE", "StochasticFairBlue", "StochasticFairnessQueueing", "BFIFO",
		"PFIFO", "PFIFOHeadDrop", "PFIFOFast", "CAKE", "ControlledDelay", "DeficitRoundRobinScheduler", "DeficitRoundRobinSchedulerClass",
		"EnhancedTransmissionSelection", "GenericRandomEarlyDetection", "FairQueueingControlledDelay", "FairQueueing", "TrivialLinkEqualizer",
		"HierarchyTokenBucket", "HierarchyTokenBucketClass", "ClassfulMultiQueueing", "BandMultiQueueing", "HeavyHitterFilter",
		"QuickFairQueueing", "QuickFairQueueingClass", "TrafficControlQueueingDiscipline",
	}},
}

// notHonoured says what is wrong with a key that no table has for honouring it. An empty value asks for nothing.
func notHonoured(section, name, value string) error {
	for i := range unsupportedKeys {
		if k := &unsupportedKeys[i]; k.section == section && k.name == name {
			if value == "" {
				return nil
			}
			return fmt.Errorf("networkd-lite does not support this key: %s", k.why)
		}
	}
	if why := whyNoSection(section); why != "" {
		return fmt.Errorf("networkd-lite does not support this section: %s", why)
	}
	for _, table := range keyTables() {
		for i := range table {
			if table[i].section == section {
				return errors.New("unknown key; networkd-lite(8) lists all")
			}
		}
	}
	return errors.New("unknown section")
}

// whyNoSection says why a section is not supported; empty: it is, or is unknown.
func whyNoSection(name string) string {
	for i := range unsupportedSections {
		if s := &unsupportedSections[i]; slices.Contains(s.names, name) {
			return s.why
		}
	}
	return ""
}
