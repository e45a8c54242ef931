package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// HostAccess is what the container reaches of the host: everything, or what its network is made of and some ports.
type HostAccess struct {
	Limited bool
	Ports   []PortRange // reached even so
}

// PortRange is ports of a protocol.
type PortRange struct {
	Protocol    string // "tcp" or "udp"
	First, Last uint16
}

// setHostAccess takes a boolean, or [PROTOCOL:]PORT[-LAST] with white space in between.
func setHostAccess(s *Settings, v value) error {
	var all bool
	if err := setBool(&all, v.text); err == nil {
		s.Network.HostAccess = HostAccess{Limited: !all}
		return nil
	}
	access := HostAccess{Limited: true}
	for word := range strings.FieldsSeq(v.text) {
		r, err := parsePortRange(word)
		if err != nil {
			return err
		}
		for _, other := range access.Ports {
			if r.Protocol == other.Protocol && r.First <= other.Last && other.First <= r.Last {
				return fmt.Errorf("%s:%d is there twice", r.Protocol, max(r.First, other.First))
			}
		}
		access.Ports = append(access.Ports, r)
	}
	if access.Ports == nil {
		return errEmpty
	}
	s.Network.HostAccess = access
	return nil
}

func parsePortRange(text string) (r PortRange, err error) {
	r.Protocol = "tcp"
	if protocol, rest, found := strings.Cut(text, ":"); found {
		if protocol != "tcp" && protocol != "udp" {
			return r, fmt.Errorf("%s is neither tcp nor udp", printable(protocol))
		}
		r.Protocol, text = protocol, rest
	}
	first, last, isRange := strings.Cut(text, "-")
	if r.First, err = parsePort(first); err != nil {
		return r, fmt.Errorf("not yes, no or ports: %w", err)
	}
	if r.Last = r.First; isRange {
		r.Last, err = parsePort(last)
	}
	if err == nil && r.Last < r.First {
		err = fmt.Errorf("port %d comes before %d", r.Last, r.First)
	}
	return r, err
}

// addZoneAccess takes names of zones.
func addZoneAccess(s *Settings, v value) error {
	var zones []string
	for word := range strings.FieldsSeq(v.text) {
		if len(word) > maxZone || checkInterface("vz-"+word) != nil {
			return errors.New(printable(word) + " is not a valid zone name")
		}
		if !slices.Contains(s.Network.ZoneAccess, word) && !slices.Contains(zones, word) {
			zones = append(zones, word)
		}
	}
	s.Network.ZoneAccess = append(s.Network.ZoneAccess, zones...)
	return nil
}

// maxZone is how long the name of a zone may be, behind "vz-" in the name of a link.
const maxZone = 12
