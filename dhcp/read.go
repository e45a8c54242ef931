package dhcp

import (
	"bufio"
	"io"
	"maps"
	"net/netip"
	"slices"
)

// ReadLeases returns the leases that a journal holds, sorted by address, while its server may be writing to it. Lines that
// cannot be used are left out; [OpenJournal] reports them.
func ReadLeases(content io.Reader) []Lease {
	reader := bufio.NewReaderSize(content, maxLine)
	byAddress, byClient := map[netip.Addr]Lease{}, map[string]netip.Addr{}
	for {
		line, whole, err := readLine(reader)
		if err != nil {
			break
		}
		lease, err := parseLease(line)
		if err != nil || !whole {
			continue
		}
		if earlier := byClient[lease.Client]; byAddress[earlier].Client == lease.Client {
			delete(byAddress, earlier) // a client has one lease
		}
		byAddress[lease.Address], byClient[lease.Client] = lease, lease.Address
	}
	return slices.SortedFunc(maps.Values(byAddress), func(a, b Lease) int { return a.Address.Compare(b.Address) })
}
