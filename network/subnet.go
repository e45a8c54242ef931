package network

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// A free subnet for Address=0.0.0.0/N may have these prefix lengths: the largest is systemd's limit, the smallest still
// has an address for the host and one for a container.
const (
	minSubnet = 8
	maxSubnet = 30
)

// maxRemembered is how many choices of links that are gone are kept: as many as 192.168.0.0/16 has subnets of 16 addresses.
const maxRemembered = 4096

// pools returns where free subnets come from, in order: those of systemd.network(5), Address=.
func pools() []netip.Prefix {
	return []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 0, 0}), 16),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, 0, 0}), 12),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, 0}), 8),
	}
}

// Subnets remembers which subnet each link was given, so that a container has the same one after a restart of the
// container, of networkd-lite and of the host.
type Subnets struct {
	chosen map[string]choice // by name of the link
}

// choice is what is remembered of a link.
type choice struct {
	Subnet netip.Prefix `json:"subnet"`
	Used   time.Time    `json:"used"` // when it was given out last
}

// subnetsFile is the form on disk.
type subnetsFile struct {
	Version int               `json:"version"`
	Links   map[string]choice `json:"links"`
}

// UnmarshalJSON reads what MarshalJSON wrote. Entries that no link could have been given are left out.
func (s *Subnets) UnmarshalJSON(data []byte) error {
	var file subnetsFile
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	if file.Version != 1 {
		return fmt.Errorf("version %d, not 1", file.Version)
	}
	s.chosen = map[string]choice{}
	for link, c := range file.Links {
		bits := c.Subnet.Bits()
		if ValidInterfaceName(link) == nil && inPools(c.Subnet) && bits <= maxSubnet && c.Subnet == c.Subnet.Masked() {
			s.chosen[link] = c
		}
	}
	return nil
}

// MarshalJSON writes the choices, sorted by the name of the link.
func (s *Subnets) MarshalJSON() ([]byte, error) {
	return json.Marshal(subnetsFile{1, s.chosen})
}

// Choose returns the subnet with prefix length bits for the link and remembers it; changed tells whether that is new.
//
// used are the addresses and routes of everything else on the host. In order, as long as it does not overlap one of them:
// what the link carries already (carried; another program may have set it up), what it had last time, and the first free
// subnet from a place in the pools that only depends on the link's name. Subnets of links that are away are free only
// when there is nothing else.
func (s *Subnets) Choose(link string, bits int, carried, used []netip.Prefix, now time.Time) (subnet netip.Prefix, changed bool, err error) {
	last, remembered := s.chosen[link]
	suits := func(p netip.Prefix) bool { return p.Bits() == bits && inPools(p) && !overlapsAny(p, used) }
	remember := func(p netip.Prefix) (netip.Prefix, bool, error) {
		if s.chosen == nil {
			s.chosen = map[string]choice{}
		}
		s.chosen[link] = choice{p, now.UTC().Truncate(time.Second)}
		forget(s.chosen)
		return p, !remembered || last.Subnet != p, nil
	}

	carries := func(p netip.Prefix) bool {
		return slices.ContainsFunc(carried, func(c netip.Prefix) bool { return c.Masked() == p })
	}
	if !remembered || !carries(last.Subnet) {
		for _, c := range carried {
			if suits(c.Masked()) {
				return remember(c.Masked())
			}
		}
	}
	if remembered && suits(last.Subnet) {
		return remember(last.Subnet)
	}
	reserved := slices.Clone(used)
	for other, c := range s.chosen {
		if other != link {
			reserved = append(reserved, c.Subnet)
		}
	}
	for _, taken := range [][]netip.Prefix{reserved, used} {
		for _, pool := range pools() {
			if p, ok := free(pool, link, bits, taken); ok {
				return remember(p)
			}
		}
	}
	return netip.Prefix{}, false, fmt.Errorf("no free /%d in %v", bits, pools())
}

// Chosen returns the subnet that was chosen for the link last, if one was.
func (s *Subnets) Chosen(link string) (netip.Prefix, bool) {
	c, remembered := s.chosen[link]
	return c.Subnet, remembered
}

// forget drops the choices that were not used for the longest time when there are too many.
func forget(chosen map[string]choice) {
	if len(chosen) <= maxRemembered {
		return
	}
	byAge := slices.SortedFunc(maps.Keys(chosen), func(a, b string) int {
		return cmp.Or(chosen[a].Used.Compare(chosen[b].Used), cmp.Compare(a, b))
	})
	for _, link := range byAge[:len(byAge)-maxRemembered] {
		delete(chosen, link)
	}
}

// free returns the first subnet of pool with prefix length bits that overlaps nothing in taken, searching round from a
// place that the link's name decides.
func free(pool netip.Prefix, link string, bits int, taken []netip.Prefix) (netip.Prefix, bool) {
	if bits < pool.Bits() {
		return netip.Prefix{}, false
	}
	count := uint64(1) << (bits - pool.Bits())
	shift := 32 - bits
	base := toUint(pool.Addr())
	hash := fnv.New64a()
	hash.Write([]byte(link))
	start := hash.Sum64() % count
	for offset := uint64(0); offset < count; {
		i := (start + offset) % count
		candidate := netip.PrefixFrom(toAddr(base+i<<shift), bits)
		obstacle, found := overlapping(candidate, taken)
		if !found {
			return candidate, true
		}
		// Go on behind the obstacle: 10.0.0.0/8 has a million subnets of 16 addresses.
		end := (toUint(obstacle.Addr()) + uint64(1)<<(32-obstacle.Bits()) - 1 - base) >> shift
		offset += max(min(end, count-1), i) - i + 1
	}
	return netip.Prefix{}, false
}

// overlapping returns an IPv4 prefix of list that has addresses in common with p. A default route is in nobody's way, also when it is
// in parts: OpenVPN's redirect-gateway def1 sets 0.0.0.0/1 and 128.0.0.0/1.
func overlapping(p netip.Prefix, list []netip.Prefix) (netip.Prefix, bool) {
	for _, other := range list {
		if other.Addr().Is4() && other.Bits() >= minSubnet && p.Overlaps(other) {
			return other.Masked(), true
		}
	}
	return netip.Prefix{}, false
}

func overlapsAny(p netip.Prefix, list []netip.Prefix) bool {
	_, found := overlapping(p, list)
	return found
}

// inPools reports whether all of p can be given out.
func inPools(p netip.Prefix) bool {
	return slices.ContainsFunc(pools(), func(pool netip.Prefix) bool {
		return p.IsValid() && p.Bits() >= pool.Bits() && pool.Contains(p.Addr())
	})
}

func toUint(a netip.Addr) uint64 {
	b := a.As4()
	return uint64(binary.BigEndian.Uint32(b[:]))
}

func toAddr(n uint64) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(n))))
}
