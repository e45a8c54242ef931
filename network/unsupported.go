package network

import (
	"errors"
	"fmt"
)

// unsupportedKeys are keys of systemd.network(5) that are known and not honoured, but for a value that asks for nothing.
var unsupportedKeys = [...]key{
	{"Link", "RequiredFamilyForOnline", instead("nothing waits for links of containers")},

	{"Network", "IPv4LLStartAddress", instead("it sets no IPv4 link-local address")},
	{"Network", "IPv4LLRoute", onlyNo},
	{"Network", "IPv6StableSecretAddress", instead("say how with IPv6LinkLocalAddressGenerationMode=")},
	{"Network", "LLMNR", instead("use resolvectl(1)")},
	{"Network", "MulticastDNS", instead("use resolvectl(1)")},
	{"Network", "DNSOverTLS", instead("use resolvectl(1)")},
	{"Network", "DNSSEC", instead("use resolvectl(1)")},
	{"Network", "DNSSECNegativeTrustAnchors", instead("use resolvectl(1)")},
	{"Network", "BindCarrier", instead("links of containers come up with the container")},
	{"Network", "UseDomains", instead(noClient)},
	{"Network", "NTP", instead("systemd-timesyncd hears of it from systemd-networkd only: say it in timesyncd.conf(5)")},
	{"Network", "IPv4DuplicateAddressDetectionTimeoutSec", instead("it does not look for duplicates of the host's IPv4 addresses")},
	{"Network", "DHCPPrefixDelegation", onlyNo},
	{"Network", "BatmanAdvanced", noMaster},
	{"Network", "Bond", noMaster},
	{"Network", "Bridge", noMaster},
	{"Network", "VRF", noMaster},
	{"Network", "ActiveSlave", onlyNo},
	{"Network", "PrimarySlave", onlyNo},
	{"Network", "IPoIB", instead(noNetdevs)},
	{"Network", "IPVLAN", instead(noNetdevs)},
	{"Network", "IPVTAP", instead(noNetdevs)},
	{"Network", "L2TP", instead(noNetdevs)},
	{"Network", "MACsec", instead(noNetdevs)},
	{"Network", "MACVLAN", instead(noNetdevs)},
	{"Network", "MACVTAP", instead(noNetdevs)},
	{"Network", "Tunnel", instead(noNetdevs)},
	{"Network", "VLAN", instead(noNetdevs)},
	{"Network", "VXLAN", instead(noNetdevs)},
	{"Network", "Xfrm", instead(noNetdevs)},
	{"Network", "ProxyNeighbor", instead("IPv4ProxyARP= answers for all that the host reaches")},
	{"Network", "IPv6ProxyNDPAddress", instead("since systemd 262 it is ProxyNeighbor=, and not supported either")},

	{"Address", "NetLabel", instead("use netlabelctl(8)")},
	{"Address", "NFTSet", instead("rules of your own can name the link (iifname, oifname)")},

	// Older than those of systemd 252, whose manual has them no more.
	{"Network", "IPv6Token", instead("since systemd 250 it is Token= of [IPv6AcceptRA], and " + noClient)},
	{"Network", "IPv6PrefixDelegation", instead("since systemd 247 it is IPv6SendRA=")},
	{"Network", "DHCPv6PrefixDelegation", onlyNo},
	{"Network", "IPv4LL", onlyNo},
	{"Address", "PrefixRoute", instead("since systemd 245 it is AddPrefixRoute=, the other way round")},
	{"Route", "TTLPropagate", instead("Linux has it for MPLS only, and systemd does not honour it any more")},
}

const (
	noClient    = "it is no client on links of containers"
	noNetdevs   = "it reads no .netdev files"
	noShaping   = "it shapes no traffic: use tc(8)"
	noSuchLinks = "links of containers are nothing of the kind"
)

// unsupportedSections are sections of systemd.network(5) of which no key is honoured, and why.
var unsupportedSections = map[string]string{
	"DHCPv4": noClient, "DHCPv6": noClient, "DHCPPrefixDelegation": noClient, "IPv6AcceptRA": noClient, "DHCP": noClient,
	"DHCPv6PrefixDelegation": noClient, "IPv6PrefixDelegation": "since systemd 247 it is [IPv6SendRA]",
	"SR-IOV": noSuchLinks, "CAN": noSuchLinks, "IPoIB": noSuchLinks, "MobileNetwork": noSuchLinks,
	"Neighbor": "use ip-neighbour(8)", "IPv6AddressLabel": "use ip-addrlabel(8)", "RoutingPolicyRule": "use ip-rule(8)",
	"BridgeFDB": "use bridge(8)", "BridgeMDB": "use bridge(8)", "BridgeVLAN": "use bridge(8)",
	"NextHop":   "say Gateway= and the rest in [Route]",
	"DHCPRelay": "it relays by RelayTarget= of [DHCPServer] only",

	"QDisc": noShaping, "NetworkEmulator": noShaping, "TokenBucketFilter": noShaping, "PIE": noShaping, "FlowQueuePIE": noShaping,
	"StochasticFairBlue": noShaping, "StochasticFairnessQueueing": noShaping, "BFIFO": noShaping, "PFIFO": noShaping,
	"PFIFOHeadDrop": noShaping, "PFIFOFast": noShaping, "CAKE": noShaping, "ControlledDelay": noShaping,
	"DeficitRoundRobinScheduler": noShaping, "DeficitRoundRobinSchedulerClass": noShaping, "EnhancedTransmissionSelection": noShaping,
	"GenericRandomEarlyDetection": noShaping, "FairQueueingControlledDelay": noShaping, "FairQueueing": noShaping,
	"TrivialLinkEqualizer": noShaping, "HierarchyTokenBucket": noShaping, "HierarchyTokenBucketClass": noShaping,
	"ClassfulMultiQueueing": noShaping, "BandMultiQueueing": noShaping, "HeavyHitterFilter": noShaping,
	"QuickFairQueueing": noShaping, "QuickFairQueueingClass": noShaping, "TrafficControlQueueingDiscipline": noShaping,
}

// instead returns what to do with a key that is not supported: say why, or what to use. An empty value asks for nothing.
func instead(what string) func(*File, string) error {
	return func(_ *File, value string) error {
		if value == "" {
			return nil
		}
		return fmt.Errorf("networkd-lite does not support this key: %s", what)
	}
}

// noMaster takes the name of what the link is to be a port of.
func noMaster(_ *File, value string) error {
	if value == "" {
		return nil
	}
	return errors.New("networkd-lite moves no link into another one: Bridge= of systemd.nspawn(5) does")
}

// unknown says what is wrong with a key that is in no table.
func unknown(section string) error {
	if why, known := unsupportedSections[section]; known {
		return fmt.Errorf("networkd-lite does not support this section: %s", why)
	}
	for _, table := range keyTables() {
		for i := range table {
			if table[i].section == section {
				return errors.New("unknown key")
			}
		}
	}
	return errors.New("unknown section")
}
