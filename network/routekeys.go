package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// routeKeys are the keys of routes.
var routeKeys = [...]key{
	{"Network", "Gateway", addGateway},
	{"Network", "DefaultRouteOnDevice", setRouteOnDevice},
	{"Route", "Gateway", setGateway},
	{"Route", "GatewayOnLink", func(f *File, v string) error { return setTristate(&f.route().onLink, v) }},
	{"Route", "GatewayOnlink", func(f *File, v string) error { return setTristate(&f.route().onLink, v) }}, // before systemd 235
	{"Route", "Destination", setDestination},
	{"Route", "PreferredSource", setPreferredSource},
	{"Route", "Metric", setRouteMetric},
	{"Route", "Scope", setRouteScope},
	{"Route", "Table", setRouteTable},
	{"Route", "Type", setRouteType},
	{"Route", "Protocol", setRouteProtocol},
	{"Route", "Source", setRouteSource},
	{"Route", "IPv6Preference", setRoutePreference},
	{"Route", "MultiPathRoute", addHop},
}

// routeSection is what a [Route] section says, or one Gateway= of [Network].
type routeSection struct {
	route    StaticRoute
	onLink   Tristate
	scopeSet bool
	bound    bool   // Gateway=0.0.0.0 or ::
	wrong    string // the key that has no usable value: without it the route would lead elsewhere
	section  section
}

var routeTypes = map[string]uint8{
	"unicast": routeUnicast, "local": routeLocal, "broadcast": routeBroadcast, "anycast": routeAnycast, "multicast": routeMulticast,
	"blackhole": routeBlackhole, "unreachable": routeUnreachable, "prohibit": routeProhibit, "throw": routeThrow,
}

var routeProtocols = map[string]uint8{"kernel": protocolKernel, "boot": protocolBoot, "static": protocolStatic, "ra": protocolRA, "dhcp": protocolDHCP}

// routePreferences are those of RFC 4191, section 2.1.
var routePreferences = map[string]uint8{"medium": 0, "high": 1, "low": 3}

var routeScopes = map[string]uint8{"global": scopeGlobal, "site": scopeSite, "link": scopeLink, "host": scopeHost, "nowhere": scopeNowhere}

// nameOf returns the name of a number; each has one.
func nameOf(names map[string]uint8, number uint8) string {
	for name, n := range names {
		if n == number {
			return name
		}
	}
	return strconv.Itoa(int(number))
}

// route returns the [Route] section that is being read.
func (f *File) route() *routeSection {
	for _, r := range f.Config.routeSections {
		if r.section == f.section {
			return r
		}
	}
	return f.addRoute()
}

func (f *File) addRoute() *routeSection {
	r := &routeSection{section: f.section, route: StaticRoute{Type: routeUnicast, Protocol: protocolStatic}}
	f.Config.routeSections = append(f.Config.routeSections, r)
	return r
}

// wrongIf notes that the route cannot be set because of the key that is being read.
func (s *routeSection) wrongIf(key string, err error) error {
	if err != nil {
		s.wrong = key
	} else if s.wrong == key {
		s.wrong = ""
	}
	return err
}

// addGateway takes Gateway= of [Network], which is a route of its own. An empty value takes all routes back.
func addGateway(f *File, value string) error {
	if value == "" {
		f.Config.routeSections = nil
		return nil
	}
	gateway, err := parseHost(value)
	if err == nil {
		f.addRoute().setGateway(gateway)
	}
	return err
}

// setRouteOnDevice takes whether there is a default route of IPv4 that is bound to the link.
func setRouteOnDevice(f *File, value string) error {
	var on bool
	err := setBool(&on, value)
	if err == nil {
		f.Config.routeOnDevice = section{}
	}
	if on {
		f.Config.routeOnDevice = f.section
	}
	return err
}

func setGateway(f *File, value string) error {
	r := f.route()
	if value == "" {
		r.route.Gateway, r.bound = netip.Addr{}, false
		return r.wrongIf(f.key, nil)
	}
	gateway, err := parseHost(value)
	if value == "_dhcp4" || value == "_ipv6ra" {
		err = errors.New("networkd-lite is no client on links of containers")
	}
	if err == nil {
		r.setGateway(gateway)
	}
	return r.wrongIf(f.key, err)
}

// setGateway stores a gateway. 0.0.0.0 and :: stand for a default route that is bound to the link.
func (s *routeSection) setGateway(gateway netip.Addr) {
	if s.bound = gateway.IsUnspecified(); s.bound {
		s.route.Destination = netip.PrefixFrom(gateway, 0)
		gateway = netip.Addr{}
	}
	s.route.Gateway = gateway
}

// parseHost takes the address of one host, or of none.
func parseHost(value string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(value)
	if err != nil || addr.Zone() != "" || addr.Is4In6() || addr.IsMulticast() || addr.IsLoopback() {
		return netip.Addr{}, errors.New("not the address of a host")
	}
	return addr, nil
}

func setDestination(f *File, value string) error {
	r := f.route()
	prefix, err := parseDestination(value)
	if err == nil {
		r.route.Destination = prefix
	}
	return r.wrongIf(f.key, err)
}

// parseDestination takes a prefix, or an address: that is one host. An empty value is none.
func parseDestination(value string) (netip.Prefix, error) {
	if value == "" {
		return netip.Prefix{}, nil
	}
	prefix, err := netip.ParsePrefix(value)
	if addr, addrErr := netip.ParseAddr(value); addrErr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("not ADDRESS/LENGTH")
	}
	return prefix.Masked(), nil
}

// setPreferredSource takes the address of the host; "no" leaves it to the kernel.
func setPreferredSource(f *File, value string) error {
	r := f.route()
	if value == "" || value == "no" {
		r.route.PreferredSource = netip.Addr{}
		return nil
	}
	addr, err := parseHost(value)
	if err == nil && addr.IsUnspecified() {
		err = errors.New("not the address of a host")
	}
	if err == nil {
		r.route.PreferredSource = addr
	}
	return err
}

func setRouteMetric(f *File, value string) error {
	metric, err := strconv.ParseUint(value, 10, 32)
	if value != "" && err != nil {
		return errors.New("not a number from 0 to 4294967295")
	}
	f.route().route.Metric = uint32(metric)
	return nil
}

func setRouteScope(f *File, value string) error {
	scope, known := routeScopes[value]
	if !known {
		return errors.New("not global, site, link, host or nowhere")
	}
	r := f.route()
	r.route.Scope, r.scopeSet = scope, true
	return nil
}

func setRouteTable(f *File, value string) error {
	r := f.route()
	number, err := strconv.ParseUint(value, 10, 32)
	switch named := map[string]uint64{"default": tableDefault, "main": tableMain, "local": tableLocal}[value]; {
	case value == "":
		number, err = 0, nil
	case named != 0:
		number, err = named, nil
	case err != nil || number == 0:
		return r.wrongIf(f.key, errors.New("not default, main, local or a number from 1 to 4294967295"))
	}
	r.route.Table = uint32(number)
	return r.wrongIf(f.key, err)
}

func setRouteType(f *File, value string) error {
	r := f.route()
	number, known := routeTypes[value]
	switch {
	case value == "nat" || value == "xresolve":
		return r.wrongIf(f.key, errors.New("Linux has no such routes any more"))
	case !known:
		return r.wrongIf(f.key, errors.New("not unicast, local, broadcast, anycast, multicast, blackhole, unreachable, prohibit or throw"))
	}
	r.route.Type = number
	return r.wrongIf(f.key, nil)
}

// setRouteProtocol takes who is to have set the route.
func setRouteProtocol(f *File, value string) error {
	number, err := strconv.ParseUint(value, 10, 8)
	if value == "" {
		number, err = uint64(protocolStatic), nil
	}
	if named, known := routeProtocols[value]; known {
		number, err = uint64(named), nil
	}
	if err != nil {
		return errors.New("not kernel, boot, static, ra, dhcp or a number from 0 to 255")
	}
	f.route().route.Protocol = uint8(number)
	return nil
}

// setRouteSource takes the prefix that packets come from.
func setRouteSource(f *File, value string) error {
	r := f.route()
	prefix, err := parseDestination(value)
	if err == nil && prefix.IsValid() && !prefix.Addr().Is6() {
		err = errors.New("Linux has routes by source for IPv6 only")
	}
	if err == nil {
		r.route.Source = netip.Prefix{}
		if prefix.Bits() > 0 { // ::/0 is all, as for the kernel
			r.route.Source = prefix
		}
	}
	return r.wrongIf(f.key, err)
}

func setRoutePreference(f *File, value string) error {
	preference, known := routePreferences[value]
	if !known && value != "" {
		return errors.New("not low, medium or high")
	}
	f.route().route.Preference = preference
	return nil
}

// finishRoutes fills in what depends on more than one key, and drops the sections that are no route, each with a problem.
func (f *File) finishRoutes() {
	c := &f.Config
	if c.routeOnDevice != (section{}) {
		r := f.addRoute()
		r.section = c.routeOnDevice
		r.setGateway(netip.IPv4Unspecified())
		c.routeOnDevice = section{}
	}
	for _, s := range c.routeSections {
		if why := s.finish(len(c.Addresses) > 0); why != "" {
			f.drop(s.section, why)
		} else if !containsRoute(c.Routes, s.route) {
			c.Routes = append(c.Routes, s.route)
		} else {
			f.drop(s.section, fmt.Sprintf("an earlier one leads to %v with the same Metric= and Table= already", s.route.Destination))
		}
	}
	c.routeSections = nil
}

// containsRoute reports whether the kernel takes a route for another one of the list.
func containsRoute(list []StaticRoute, r StaticRoute) bool {
	for _, other := range list {
		if other.Destination == r.Destination && other.Source == r.Source && other.Metric == r.Metric && other.Table == r.Table {
			return true
		}
	}
	return false
}

// finish completes the route, or says why it is none. addresses tells whether the link gets any.
func (s *routeSection) finish(addresses bool) string {
	r := &s.route
	gateway, source := r.Gateway, r.PreferredSource
	switch {
	case s.wrong != "":
		return "without " + s.wrong + "= the route would be another one"
	case s.bound && gateway.IsValid():
		return "has two gateways"
	case ways(s.bound || gateway.IsValid(), len(r.Hops) > 0, r.NextHop != 0) > 1:
		return "has more than one of Gateway=, MultiPathRoute= and NextHop="
	case r.Destination.IsValid():
	case gateway.IsValid():
		r.Destination = netip.PrefixFrom(unspecifiedLike(gateway), 0)
	case r.family().IsValid():
		r.Destination = netip.PrefixFrom(unspecifiedLike(r.family()), 0)
	case source.IsValid():
		r.Destination = netip.PrefixFrom(unspecifiedLike(source), 0)
	case r.Source.IsValid():
		r.Destination = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	default:
		return "has none of Gateway=, Destination=, Source= and PreferredSource=, and no gateway in MultiPathRoute="
	}
	ipv4 := r.Destination.Addr().Is4()
	switch {
	case !ipv4 && r.hasGateway(netip.Addr.Is4), source.IsValid() && source.Is4() != ipv4, ipv4 && r.Source.IsValid():
		return "IPv4 and IPv6 do not go together"
	case !ipv4 && slices.ContainsFunc(r.Hops, func(h Hop) bool { return !h.Gateway.IsValid() }):
		return "Linux needs a gateway in each MultiPathRoute= of IPv6"
	case !ipv4 && r.Type == routeBroadcast:
		return "there is no broadcast in IPv6"
	case ipv4 && r.Preference != 0:
		return "IPv6Preference= is for routes of IPv6"
	case (gateway.IsValid() || len(r.Hops) > 0 || r.NextHop != 0) && r.Type != routeUnicast:
		return fmt.Sprintf("Type=%s has no gateway", nameOf(routeTypes, r.Type))
	}
	// As systemd does, which says so in its log.
	r.GatewayOnLink = gateway.IsValid() && s.onLink.or(!addresses) || r.family().IsValid() && s.onLink == Yes
	if ipv4 && !s.scopeSet {
		r.Scope = defaultScope(r)
	} else if !ipv4 {
		r.Scope = scopeGlobal
	}
	if !ipv4 && r.Metric == 0 {
		r.Metric = defaultMetric6
	}
	if r.Table == 0 {
		r.Table = tableMain
		if r.Type == routeLocal || r.Type == routeBroadcast || r.Type == routeAnycast {
			r.Table = tableLocal
		}
	}
	return ""
}

// ways counts those that are taken.
func ways(taken ...bool) (count int) {
	for _, t := range taken {
		if t {
			count++
		}
	}
	return count
}

// defaultScope is that of IPv4, systemd.network(5).
func defaultScope(r *StaticRoute) uint8 {
	switch {
	case r.Type == routeLocal:
		return scopeHost
	case r.Gateway.IsValid(), r.Linkless():
		return scopeGlobal
	}
	return scopeLink
}

func unspecifiedLike(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
