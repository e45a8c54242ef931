package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// StaticRoute is a route out of a link that a .network file asks for: [Route], or Gateway= of [Network].
type StaticRoute struct {
	Destination     netip.Prefix `json:"destination"`              // the default route has a length of 0
	Gateway         netip.Addr   `json:"gateway,omitzero"`         // zero: the destination is on the link; IPv6 for IPv4 is possible, too
	PreferredSource netip.Addr   `json:"preferredSource,omitzero"` // zero: the kernel chooses
	GatewayOnLink   bool         `json:"gatewayOnLink,omitzero"`   // RTNH_F_ONLINK: the gateway need not be in a subnet of the link
	Metric          uint32       `json:"metric,omitzero"`
	Table           uint32       `json:"table"` // RT_TABLE_*
	Scope           uint8        `json:"scope,omitzero"`
	Type            uint8        `json:"type"`                // RTN_*
	Source          netip.Prefix `json:"source,omitzero"`     // IPv6 only: packets from there; zero: all
	Preference      uint8        `json:"preference,omitzero"` // IPv6 only: that of a router (RFC 4191, section 2.1)
	Protocol        uint8        `json:"protocol"`            // RTPROT_*: who set it
	Metrics         RouteMetrics `json:"metrics,omitzero"`
	Hops            []Hop        `json:"hops,omitzero"`    // in the place of a gateway
	NextHop         uint32       `json:"nextHop,omitzero"` // the same: the ID of one
}

// Linkless reports whether the kernel has the route without a link of its own, so that it does not go with one: it leads nowhere, as packets that take
// it are dropped, answered with an error, or looked up in the next table; or it has several hops, or one by its ID.
func (r StaticRoute) Linkless() bool {
	return r.Type >= routeBlackhole && r.Type <= routeThrow || len(r.Hops) > 0 || r.NextHop != 0
}

// Values of rtnetlink(7).
const (
	scopeGlobal, scopeSite, scopeLink, scopeHost, scopeNowhere                   = 0, 200, 253, 254, 255
	tableDefault, tableMain, tableLocal                                          = 253, 254, 255
	routeUnicast, routeLocal, routeBroadcast, routeAnycast, routeMulticast uint8 = 1, 2, 3, 4, 5
	routeBlackhole, routeUnreachable, routeProhibit, routeThrow            uint8 = 6, 7, 8, 9

	protocolKernel, protocolBoot, protocolStatic, protocolRA, protocolDHCP uint8 = 2, 3, 4, 9, 16
)

// defaultMetric6 is what the kernel makes of a metric of 0 (IP6_RT_PRIO_USER).
const defaultMetric6 = 1024

// String is the route as ip-route(8) has it.
func (r StaticRoute) String() string {
	var b strings.Builder
	if r.Type != routeUnicast {
		fmt.Fprintf(&b, "%s ", nameOf(routeTypes, r.Type))
	}
	if r.Destination.Bits() == 0 {
		b.WriteString("default")
	} else {
		b.WriteString(r.Destination.String())
	}
	if r.Source.IsValid() {
		fmt.Fprintf(&b, " from %v", r.Source)
	}
	if r.Gateway.IsValid() {
		fmt.Fprintf(&b, " via %v", r.Gateway)
	}
	if r.NextHop != 0 {
		fmt.Fprintf(&b, " nhid %d", r.NextHop)
	}
	for _, hop := range r.Hops {
		fmt.Fprintf(&b, " %v", hop)
	}
	if r.PreferredSource.IsValid() {
		fmt.Fprintf(&b, " src %v", r.PreferredSource)
	}
	if r.Metric != 0 {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	if r.Table != tableMain {
		fmt.Fprintf(&b, " table %d", r.Table)
	}
	if r.Destination.Addr().Is4() && r.Scope != defaultScope(&r) {
		fmt.Fprintf(&b, " scope %s", nameOf(routeScopes, r.Scope))
	}
	if r.GatewayOnLink {
		b.WriteString(" onlink")
	}
	if r.Protocol != protocolStatic {
		fmt.Fprintf(&b, " proto %s", nameOf(routeProtocols, r.Protocol))
	}
	b.WriteString(r.Metrics.String())
	if r.Preference != 0 {
		fmt.Fprintf(&b, " pref %s", nameOf(routePreferences, r.Preference))
	}
	return b.String()
}

// RouteDifference is what is to be done to the routes of a link, in the order of the fields.
type RouteDifference struct{ Remove, Add []StaticRoute }

// Empty reports whether nothing is to be done.
func (d RouteDifference) Empty() bool { return len(d.Remove)+len(d.Add) == 0 }

// DiffRoutes compares the static routes out of a link with those that it is to have. ours are those that this program set earlier: others stay.
func DiffRoutes(there, want, ours []StaticRoute) RouteDifference {
	var d RouteDifference
	for _, r := range ours {
		if (ContainsRoute(there, r) || r.Divisible()) && !ContainsRoute(want, r) {
			d.Remove = append(d.Remove, r)
		}
	}
	for _, r := range want {
		if !ContainsRoute(there, r) {
			d.Add = append(d.Add, r)
		}
	}
	return d
}

// RoutesNow returns the routes that a link can have at the moment: none while it is down, none from an address that is still checked
// for duplicates, which the kernel does not take, and none over a link that is not there.
func (l Link) RoutesNow(want []StaticRoute, links []Link) []StaticRoute {
	if !l.Up {
		return nil
	}
	var now []StaticRoute
	for _, r := range want {
		if r, ok := r.over(l, links); ok && !slices.Contains(l.Unusable, r.PreferredSource) {
			now = append(now, r)
		}
	}
	return now
}
