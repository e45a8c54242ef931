package dhcp

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// record is a line of the journal; docs/leases.md says what its fields mean.
type record struct {
	Address   string `json:"address"`
	Client    string `json:"client"`
	Container string `json:"container"`
	Hardware  string `json:"hardware"`
	HostName  string `json:"hostName,omitempty"`
	Expires   int64  `json:"expires"`
}

// appendLease appends the line of a lease. Nothing in it needs escapes: addresses, hexadecimal digits and valid names.
func appendLease(b []byte, lease Lease) []byte {
	b = append(b, `{"address":"`...)
	b = lease.Address.AppendTo(b)
	if name := lease.Container(); name != "" {
		b = append(append(b, `","container":"`...), name...)
	} else {
		b = append(b, `","client":"`...)
		b = hex.AppendEncode(b, []byte(lease.Client))
	}
	b = append(b, `","hardware":"`...)
	b = append(b, lease.Hardware.String()...)
	if lease.HostName != "" {
		b = append(b, `","hostName":"`...)
		b = append(b, lease.HostName...)
	}
	return fmt.Appendf(b, "\",\"expires\":%d}\n", lease.Expires.Unix())
}

// parseLease reads a line that appendLease wrote, or an admin.
func parseLease(line []byte) (Lease, error) {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return Lease{}, fmt.Errorf("not a lease: %w", err)
	}
	lease := Lease{HostName: r.HostName, Expires: time.Unix(r.Expires, 0)}
	client, err := hex.DecodeString(r.Client)
	if err != nil {
		return Lease{}, fmt.Errorf("client identifier: %w", err)
	}
	lease.Client = string(client)
	switch {
	case r.Container != "" && !validContainerName(r.Container):
		return Lease{}, fmt.Errorf("%q is not the name of a container", r.Container)
	case r.Container != "":
		lease.Client = containerPrefix + r.Container
	case strings.HasPrefix(lease.Client, containerPrefix):
		return Lease{}, errors.New("client identifier is that of a container")
	}
	if lease.Address, err = netip.ParseAddr(r.Address); err != nil {
		return Lease{}, fmt.Errorf("address: %w", err)
	}
	hardware, err := net.ParseMAC(r.Hardware)
	if err != nil {
		return Lease{}, fmt.Errorf("hardware address: %w", err)
	}
	if copy(lease.Hardware[:], hardware); len(hardware) != len(lease.Hardware) {
		return Lease{}, errors.New("hardware address is not an Ethernet address")
	}
	return lease, nil
}
