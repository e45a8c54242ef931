package dns

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// canonical returns a name in lower case without the final dot; ok is false for the root.
func canonical(name *dnsmessage.Name) (text string, ok bool) {
	var lower [255]byte
	n := int(name.Length) - 1
	if n <= 0 {
		return "", false
	}
	for i, c := range name.Data[:n] {
		lower[i] = lowerCase(c)
	}
	return string(lower[:n]), true
}

// lowerCase is for ASCII: other bytes are compared as they are (RFC 4343).
func lowerCase(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// sameName compares names as RFC 4343 has it.
func sameName(a, b *dnsmessage.Name) bool {
	if a.Length != b.Length {
		return false
	}
	for i := range a.Data[:a.Length] {
		if lowerCase(a.Data[i]) != lowerCase(b.Data[i]) {
			return false
		}
	}
	return true
}

// parseReverse reads a name below in-addr.arpa (RFC 1035, section 3.5) or ip6.arpa (RFC 3596, section 2.5). bits is how much of the
// address it has; below says that there are more labels, which are of no address.
func parseReverse(name string) (address netip.Addr, bits int, below, ok bool) {
	if labels, found := strings.CutSuffix(name, ".in-addr.arpa"); found {
		var ip [4]byte
		bits, below = reverseLabels(labels, len(ip), 8, func(i int, n uint64) { ip[i] = byte(n) })
		return netip.AddrFrom4(ip), bits, below, true
	}
	if labels, found := strings.CutSuffix(name, ".ip6.arpa"); found {
		var ip [16]byte
		bits, below = reverseLabels(labels, 2*len(ip), 4, func(i int, n uint64) { ip[i/2] |= byte(n) << (4 * (1 - i%2)) })
		return netip.AddrFrom16(ip), bits, below, true
	}
	return netip.Addr{}, 0, false, false
}

// reverseLabels reads up to count numbers from the end of the labels. It returns how many bits that were, and whether labels are left.
func reverseLabels(labels string, count, bitsEach int, set func(i int, n uint64)) (bits int, rest bool) {
	base := map[int]int{8: 10, 4: 16}[bitsEach]
	for i := range count {
		dot := strings.LastIndexByte(labels, '.')
		n, err := strconv.ParseUint(labels[dot+1:], base, bitsEach)
		if err != nil || labels[dot+1] == '+' {
			return bits, true
		}
		set(i, n)
		bits += bitsEach
		if dot < 0 {
			return bits, false
		}
		labels = labels[:dot]
	}
	return bits, true
}
