package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// nextHopKeys are the keys of next hops.
var nextHopKeys = [...]key{
	{"NextHop", "Id", setNextHopID},
	{"NextHop", "Gateway", setNextHopGateway},
	{"NextHop", "Family", setNextHopFamily},
	{"NextHop", "OnLink", func(f *File, v string) error { return setTristate(&f.nextHop().onLink, v) }},
	{"NextHop", "Blackhole", func(f *File, v string) error {
		return f.nextHop().wrongIf(f.key, setSwitch(&f.nextHop().hop.Blackhole, v))
	}},
	{"NextHop", "Group", addMembers},
	{"Route", "NextHop", setRouteNextHop},
}

// nextHopSection is what a [NextHop] section says.
type nextHopSection struct {
	hop     NextHop
	family  string // Family=; empty: as the gateway is
	onLink  Tristate
	wrong   string // the key that has no usable value: without it the next hop would be another one
	section section
}

// nextHop returns the [NextHop] section that is being read.
func (f *File) nextHop() *nextHopSection {
	for _, s := range f.Config.nextHopSections {
		if s.section == f.section {
			return s
		}
	}
	s := &nextHopSection{section: f.section, hop: NextHop{Protocol: protocolStatic}}
	f.Config.nextHopSections = append(f.Config.nextHopSections, s)
	return s
}

// wrongIf notes that the next hop cannot be set because of the key that is being read.
func (s *nextHopSection) wrongIf(key string, err error) error {
	if err != nil {
		s.wrong = key
	} else if s.wrong == key {
		s.wrong = ""
	}
	return err
}

// parseHopID takes the ID of a next hop; an empty value is none.
func parseHopID(value string) (uint32, error) {
	id, err := strconv.ParseUint(value, 10, 32)
	if value != "" && (err != nil || id == 0) {
		return 0, errors.New("not a number from 1 to 4294967295")
	}
	return uint32(id), nil
}

func setNextHopID(f *File, value string) error {
	s := f.nextHop()
	id, err := parseHopID(value)
	if err == nil {
		s.hop.ID = id
	}
	return s.wrongIf(f.key, err)
}

func setNextHopGateway(f *File, value string) error {
	s := f.nextHop()
	var gateway netip.Addr
	var err error
	if value != "" {
		if gateway, err = parseHost(value); err == nil && gateway.IsUnspecified() {
			err = errors.New("not the address of a host")
		}
	}
	if err == nil {
		s.hop.Gateway = gateway
	}
	return s.wrongIf(f.key, err)
}

func setNextHopFamily(f *File, value string) error {
	s := f.nextHop()
	if value != "" && value != "ipv4" && value != "ipv6" {
		return s.wrongIf(f.key, errors.New("not ipv4 or ipv6"))
	}
	s.family = value
	return s.wrongIf(f.key, nil)
}

// addMembers takes next hops as ID or ID:WEIGHT; an empty value takes all earlier ones back.
func addMembers(f *File, value string) error {
	s := f.nextHop()
	if value == "" {
		s.hop.Group = nil
		return s.wrongIf(f.key, nil)
	}
	for word := range strings.FieldsSeq(value) {
		number, weight, weighted := strings.Cut(word, ":")
		member := Member{Weight: 1}
		var err error
		if member.ID, err = parseHopID(number); err != nil || number == "" {
			s.wrong = f.key
			return fmt.Errorf("%q is not ID or ID:WEIGHT", word)
		}
		if weighted {
			n, err := strconv.ParseUint(weight, 10, 8)
			if err != nil || n == 0 {
				s.wrong = f.key
				return fmt.Errorf("%q has no weight from 1 to 255", word)
			}
			member.Weight = int(n)
		}
		s.hop.Group = slices.DeleteFunc(s.hop.Group, func(m Member) bool { return m.ID == member.ID })
		s.hop.Group = append(s.hop.Group, member)
	}
	SortMembers(s.hop.Group)
	return nil
}

// setRouteNextHop takes the ID of the next hop, which is in the place of a gateway.
func setRouteNextHop(f *File, value string) error {
	r := f.route()
	id, err := parseHopID(value)
	if err == nil {
		r.route.NextHop = id
	}
	return r.wrongIf(f.key, err)
}

// finishNextHops fills in what depends on more than one key, and drops the sections that are no next hop, each with a problem.
func (f *File) finishNextHops() {
	c := &f.Config
	for _, s := range c.nextHopSections {
		if why := s.finish(len(c.Addresses) > 0); why != "" {
			f.drop(s.section, why)
		} else if _, taken := HopByID(c.NextHops, s.hop.ID); taken {
			f.drop(s.section, fmt.Sprintf("an earlier one has Id=%d already", s.hop.ID))
		} else {
			c.NextHops = append(c.NextHops, s.hop)
		}
	}
	c.nextHopSections = nil
}

// finish completes the next hop, or says why it is none. addresses tells whether the link gets any.
func (s *nextHopSection) finish(addresses bool) string {
	n := &s.hop
	gateway, group := n.Gateway.IsValid(), len(n.Group) > 0
	switch {
	case s.wrong != "":
		return "without " + s.wrong + "= the next hop would be another one"
	case n.ID == 0:
		return "has no Id=, by which routes would name it"
	case group && (gateway || s.family != "" || n.Blackhole || s.onLink == Yes):
		return "Group= does not go with Gateway=, Family=, OnLink= and Blackhole="
	case gateway && n.Blackhole:
		return "Blackhole= does not go with Gateway="
	case gateway && s.family != "" && n.Gateway.Is4() != (s.family == "ipv4"):
		return "IPv4 and IPv6 do not go together"
	case slices.ContainsFunc(n.Group, func(m Member) bool { return m.ID == n.ID }):
		return "Group= has the next hop itself"
	}
	n.IPv6 = s.family == "ipv6" || gateway && n.Gateway.Is6()
	n.OnLink = gateway && s.onLink.or(!addresses) // as for a route
	return ""
}
