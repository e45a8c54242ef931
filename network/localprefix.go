package network

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/netip"
	"slices"
	"time"
)

// Prefixes of IPv6 networks of our own (RFC 4193, section 3.1): a global ID makes /48 of fd00::/8, and a subnet ID /64 of that.
const (
	globalBits = 48
	subnetBits = 64
	subnets    = 1 << (subnetBits - globalBits)
)

// LocalPrefixes remembers which unique local IPv6 prefix (RFC 4193) each link was given, so that a container has the same one after a
// restart of the container, of networkd-lite and of the host.
type LocalPrefixes struct {
	global netip.Prefix      // of this host; zero: none yet
	chosen map[string]choice // by name of the link; the prefixes of an earlier global ID stay
}

// localPrefixesFile is the form on disk.
type localPrefixesFile struct {
	Version  int               `json:"version"`
	GlobalID netip.Prefix      `json:"globalID"`
	Links    map[string]choice `json:"links"`
}

// UnmarshalJSON reads what MarshalJSON wrote. Entries that no link could have been given are left out.
func (s *LocalPrefixes) UnmarshalJSON(data []byte) error {
	var file localPrefixesFile
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	if file.Version != 1 {
		return fmt.Errorf("version %d, not 1", file.Version)
	}
	if !isLocal(file.GlobalID, globalBits) {
		return fmt.Errorf("globalID %v is not a /%d of fd00::/8", file.GlobalID, globalBits)
	}
	s.global, s.chosen = file.GlobalID, map[string]choice{}
	for link, c := range file.Links {
		if ValidInterfaceName(link) == nil && isLocal(c.Subnet, subnetBits) {
			s.chosen[link] = c
		}
	}
	return nil
}

// Chosen returns what the link was given last.
func (s *LocalPrefixes) Chosen(link string) (netip.Prefix, bool) {
	c, ok := s.chosen[link]
	return c.Subnet, ok
}

// MarshalJSON writes the global ID and the choices, sorted by the name of the link.
func (s *LocalPrefixes) MarshalJSON() ([]byte, error) {
	return json.Marshal(localPrefixesFile{1, s.global, s.chosen})
}

// Choose returns the /64 for the link and remembers it; changed tells whether that is new.
//
// used are the addresses and routes of everything else on the host. In order, as long as it does not overlap one of them: what
// the link carries already (carried; another program may have set it up), what it had last time, and the first free subnet ID from a
// place that only depends on the link's name. random makes the global ID, the first time and when all of it is used by others.
func (s *LocalPrefixes) Choose(link string, carried, used []netip.Prefix, random io.Reader, now time.Time) (p netip.Prefix, changed bool, err error) {
	last, remembered := s.chosen[link]
	suits := func(p netip.Prefix) bool { return isLocal(p, subnetBits) && !overlapsLocal(p, used) }
	var candidates []netip.Prefix
	for _, c := range carried {
		if c.Bits() >= subnetBits {
			candidates = append(candidates, netip.PrefixFrom(c.Addr(), subnetBits).Masked())
		}
	}
	if remembered && (slices.Contains(candidates, last.Subnet) || len(candidates) == 0) {
		candidates = []netip.Prefix{last.Subnet}
	} else if remembered {
		candidates = append(candidates, last.Subnet)
	}
	if i := slices.IndexFunc(candidates, suits); i >= 0 {
		p = candidates[i]
	} else if p, err = s.free(link, used, random); err != nil {
		return netip.Prefix{}, false, err
	}
	if s.chosen == nil {
		s.chosen = map[string]choice{}
	}
	s.chosen[link] = choice{p, now.UTC().Truncate(time.Second)}
	forget(s.chosen)
	return p, !remembered || last.Subnet != p, nil
}

// free returns a prefix that nobody has: of this host's global ID or, when that is all used, of a new one.
func (s *LocalPrefixes) free(link string, used []netip.Prefix, random io.Reader) (netip.Prefix, error) {
	reserved := slices.Clone(used)
	for other, c := range s.chosen {
		if other != link {
			reserved = append(reserved, c.Subnet)
		}
	}
	for range 3 {
		if s.global.IsValid() {
			if p, ok := freeSubnet(s.global, link, reserved); ok {
				return p, nil
			}
		}
		global := [16]byte{0xfd}
		if _, err := io.ReadFull(random, global[1:globalBits/8]); err != nil {
			return netip.Prefix{}, fmt.Errorf("make a global ID (RFC 4193): %w", err)
		}
		s.global = netip.PrefixFrom(netip.AddrFrom16(global), globalBits)
	}
	return netip.Prefix{}, fmt.Errorf("no free /%d in fd00::/8", subnetBits)
}

// freeSubnet returns the first /64 of global that overlaps nothing in taken, searching round from a place that the link's name decides.
func freeSubnet(global netip.Prefix, link string, taken []netip.Prefix) (netip.Prefix, bool) {
	taken = slices.DeleteFunc(slices.Clone(taken), func(t netip.Prefix) bool { return !overlapsLocal(global, []netip.Prefix{t}) })
	hash := fnv.New64a()
	hash.Write([]byte(link))
	start := hash.Sum64() % subnets
	for offset := range uint64(subnets) {
		address := global.Addr().As16()
		binary.BigEndian.PutUint16(address[globalBits/8:], uint16((start+offset)%subnets))
		if p := netip.PrefixFrom(netip.AddrFrom16(address), subnetBits); !overlapsLocal(p, taken) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// overlapsLocal reports whether an IPv6 prefix of list has addresses in common with p. Shorter ones than a global ID's cannot mean this
// host's: fc00::/7 may be routed to nowhere as a whole.
func overlapsLocal(p netip.Prefix, list []netip.Prefix) bool {
	return slices.ContainsFunc(list, func(other netip.Prefix) bool {
		return other.Addr().Is6() && other.Bits() >= globalBits && p.Overlaps(other)
	})
}

// isLocal reports whether p is a whole prefix of that length in fd00::/8.
func isLocal(p netip.Prefix, bits int) bool {
	return p.Bits() == bits && p.Addr().Is6() && p == p.Masked() && p.Addr().As16()[0] == 0xfd
}
