package networkd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"nspawnkit/dhcp"
)

const (
	serverInterface = busName + ".DHCPServer"
	propertyChanged = "org.freedesktop.DBus.Properties.PropertiesChanged"

	// linkPath begins the object path of a link: its index follows, the first digit of which is escaped as "_3" and the digit.
	linkPath = "/org/freedesktop/network1/link/_3"
)

// leaseTable is what the DHCP servers of networkd have given out.
type leaseTable struct {
	mu    sync.Mutex
	links map[int][]dhcp.Lease // by index
}

// Leases lists what networkd's DHCP server has given out on a link, as far as networkd said so.
func (o *Owner) Leases(index int) iter.Seq[dhcp.Lease] {
	o.leases.mu.Lock()
	defer o.leases.mu.Unlock()
	return slices.Values(o.leases.links[index])
}

// readLeases asks for the leases on all links that networkd has to do with, if it runs.
func (o *Owner) readLeases(ctx context.Context, conn *dbus.Conn, changed func()) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	links := map[int][]dhcp.Lease{}
	if o.running.Load() {
		entries, _ := fs.ReadDir(o.Root, LinksDirectory) // missing: no link
		for _, entry := range entries {
			if index, err := strconv.Atoi(entry.Name()); err == nil && ReadState(o.Root, index).File != "" {
				if list, _ := AskLeases(ctx, conn, index, o.Booted()); len(list) > 0 { // an error: most links have no DHCP server
					links[index] = list
				}
			}
		}
	}
	o.leases.mu.Lock()
	o.leases.links = links
	o.leases.mu.Unlock()
	if len(links) > 0 {
		changed()
	}
}

// readLinkLeases asks for the leases on one link, and forgets those on links that have gone.
func (o *Owner) readLinkLeases(ctx context.Context, conn *dbus.Conn, index int, changed func()) {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	list, _ := AskLeases(ctx, conn, index, o.Booted()) // an error: the link, or its DHCP server, has gone
	o.leases.mu.Lock()
	o.leases.links[index] = list
	maps.DeleteFunc(o.leases.links, func(index int, _ []dhcp.Lease) bool {
		_, err := fs.Stat(o.Root, LinksDirectory+"/"+strconv.Itoa(index))
		return errors.Is(err, fs.ErrNotExist)
	})
	o.leases.mu.Unlock()
	changed()
}

// changedLink returns the index of the link whose leases a signal is about. What the signal says of them counts for nothing: any program
// may send one that looks like it.
func changedLink(signal *dbus.Signal) (index int, about bool) {
	if signal.Name != propertyChanged || len(signal.Body) == 0 || signal.Body[0] != serverInterface {
		return 0, false
	}
	digits, found := strings.CutPrefix(string(signal.Path), linkPath)
	index, err := strconv.Atoi(digits)
	return index, found && err == nil && index > 0
}

// AskLeases asks networkd what its DHCP server has given out on a link (org.freedesktop.network1(5), property Leases). A link without
// such a server is an error. booted is when the host was started.
func AskLeases(ctx context.Context, conn *dbus.Conn, index int, booted time.Time) ([]dhcp.Lease, error) {
	var value dbus.Variant
	err := conn.Object(busName, dbus.ObjectPath(linkPath+strconv.Itoa(index))).
		CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, serverInterface, "Leases").Store(&value)
	if err != nil {
		return nil, fmt.Errorf("ask systemd-networkd for the leases of link %d: %w", index, err)
	}
	return parseLeases(value, booted)
}

// parseLeases reads the property. It tells times in microseconds since the host was booted.
func parseLeases(value dbus.Variant, booted time.Time) ([]dhcp.Lease, error) {
	var given []struct {
		Family                             uint32
		Client, Address, Gateway, Hardware []byte
		Expires                            uint64
	}
	if err := value.Store(&given); err != nil {
		return nil, fmt.Errorf("leases of systemd-networkd: %w", err)
	}
	var list []dhcp.Lease
	for _, one := range given {
		address, ok := netip.AddrFromSlice(one.Address)
		if !ok || !address.Is4() || len(one.Hardware) < len(dhcp.HardwareAddr{}) {
			continue
		}
		list = append(list, dhcp.Lease{
			Address: address, Client: string(one.Client), Hardware: dhcp.HardwareAddr(one.Hardware[:6]),
			Expires: booted.Add(time.Duration(min(one.Expires, math.MaxInt64/1000/2)) * time.Microsecond),
		})
	}
	return list, nil
}
