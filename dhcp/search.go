package dhcp

import (
	"fmt"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// optionDomainSearch is the list of domains that names are looked up in (RFC 3397).
const optionDomainSearch = 119

// withSearch adds the search domains, which are the first to go where options do not fit: a client has Domain, too.
func (c Config) withSearch(options dhcpv4.Options) (dhcpv4.Options, error) {
	if _, configured := options[optionDomainSearch]; configured || len(c.Search) == 0 {
		return options, nil
	}
	search, err := encodeSearch(c.Search)
	if err != nil {
		return nil, err
	}
	options[optionDomainSearch] = search
	if checkOptions(options) != nil {
		delete(options, optionDomainSearch)
	}
	return options, nil
}

// encodeSearch writes domains as DNS has them (RFC 1035, section 3.1), without compression, which the few bytes are not worth.
func encodeSearch(domains []string) ([]byte, error) {
	var value []byte
	for _, domain := range domains {
		for label := range strings.SplitSeq(domain, ".") {
			if label == "" || len(label) > 63 {
				return nil, fmt.Errorf("search domain %q has a label of %d bytes", domain, len(label))
			}
			value = append(append(value, byte(len(label))), label...)
		}
		value = append(value, 0)
	}
	return value, nil
}
