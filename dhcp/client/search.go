package client

import (
	"slices"
	"strings"
)

// searchList returns the domains to search: those of option 119, or else that of option 15. What is not a domain is left out: it goes
// to resolv.conf(5).
func searchList(o options) (domains []string) {
	if domains = parseSearch(o[optionSearch]); len(domains) > 0 {
		return domains
	}
	domain := strings.TrimSuffix(strings.TrimRight(string(o[optionDomain]), "\x00"), ".")
	if validDomain(domain) {
		return []string{domain}
	}
	return nil
}

// parseSearch reads option 119 (RFC 3397): names as of RFC 1035, section 4.1.4, compressed within the option.
func parseSearch(value []byte) (domains []string) {
	for at := 0; at < len(value); {
		name, next, ok := parseName(value, at)
		if !ok {
			return nil
		}
		if validDomain(name) && !slices.Contains(domains, name) && len(domains) < maxDomains {
			domains = append(domains, name)
		}
		at = next
	}
	return domains
}

// parseName reads the name at an offset, and returns where the next one is. Pointers lead back only, so that it ends.
func parseName(value []byte, at int) (name string, next int, ok bool) {
	var labels []string
	total, limit := 0, at
	for at < len(value) {
		length := int(value[at])
		switch {
		case length == 0:
			return strings.Join(labels, "."), max(next, at+1), true
		case length >= 0xc0 && at+1 < len(value):
			target := length&0x3f<<8 | int(value[at+1])
			if target >= limit {
				return "", 0, false
			}
			if next == 0 {
				next = at + 2
			}
			at, limit = target, target
			continue
		case length > 63 || at+1+length > len(value):
			return "", 0, false
		}
		if total += length + 1; total > 254 {
			return "", 0, false
		}
		labels = append(labels, string(value[at+1:at+1+length]))
		at += 1 + length
	}
	return "", 0, false
}

// validDomain reports whether a text is a domain of letters, digits, hyphens and underscores.
func validDomain(domain string) bool {
	if domain == "" || len(domain) > 253 {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		if strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
