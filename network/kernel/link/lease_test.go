package link

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routesOf lists the routes of a link that are not the kernel's own.
func routesOf(t *testing.T, c *Conn, index int) (routes []string) {
	t.Helper()
	list, err := c.handle.RouteList(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if r.Protocol != unix.RTPROT_KERNEL {
			destination, _ := netip.AddrFromSlice(r.Dst.IP)
			ones, _ := r.Dst.Mask.Size()
			routes = append(routes, netip.PrefixFrom(destination.Unmap(), ones).String()+" "+r.Gw.String())
		}
	}
	slices.Sort(routes)
	return routes
}

func TestLeased(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		addPair(t, c, "host0")
		index, hardware, err := c.Prepare("host0")
		if err != nil || len(hardware) != 6 {
			t.Fatal(index, hardware, err)
		}
		if err := c.handle.LinkSetUp(mustFind(t, c, "host0-peer")); err != nil {
			t.Fatal(err)
		}
		prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
		lease := Leased{Address: prefix("10.0.0.5/24"), Lifetime: 90 * time.Second, Routes: []LeasedRoute{
			{prefix("0.0.0.0/0"), addr("10.0.0.1")}, {prefix("198.51.100.0/24"), addr("192.0.2.1")}, {Destination: prefix("192.0.2.1/32")},
		}}
		want := []string{"0.0.0.0/0 10.0.0.1", "192.0.2.1/32 <nil>", "198.51.100.0/24 192.0.2.1"}
		for range 2 { // and when it is renewed
			if err := c.SetLeased(index, lease); err != nil {
				t.Fatal(err)
			}
			if got := routesOf(t, c, index); !slices.Equal(got, want) {
				t.Errorf("%q", got)
			}
			addresses, err := c.handle.AddrList(mustFind(t, c, "host0"), netlink.FAMILY_V4)
			if err != nil || len(addresses) != 1 || addresses[0].ValidLft < 80 || addresses[0].ValidLft > 90 {
				t.Errorf("%+v, %v", addresses, err)
			}
		}
		bad := Leased{Address: lease.Address, Routes: []LeasedRoute{{prefix("203.0.113.0/24"), addr("10.0.0.5")}, {prefix("203.0.114.0/24"), addr("10.0.0.1")}}}
		if err := c.SetLeased(index, bad); err == nil || !strings.HasPrefix(err.Error(), "add route to 203.0.113.0/24 by 10.0.0.5: ") || len(routesOf(t, c, index)) != 4 {
			t.Errorf("a bad route: %v, %q", err, routesOf(t, c, index))
		}
		if err := c.DropLeased(index, Leased{Address: lease.Address, Routes: bad.Routes}, false); err != nil || !slices.Equal(routesOf(t, c, index), want) {
			t.Errorf("less: %v, %q", err, routesOf(t, c, index))
		}
		for _, there := range []bool{true, false} {
			if has, err := c.HasAddress(index, lease.Address); err != nil || has != there {
				t.Errorf("has it: %v, %v", has, err)
			}
			if err := c.DropLeased(index, lease, true); err != nil || len(routesOf(t, c, index)) > 0 {
				t.Errorf("there %v: %v, %q", there, err, routesOf(t, c, index))
			}
		}
	})
}

func TestWatchCarrier(t *testing.T) {
	inNamespace(t, func(t *testing.T, c *Conn) {
		addPair(t, c, "host0")
		index, _, err := c.Prepare("host0")
		if err != nil {
			t.Fatal(err)
		}
		watch, err := WatchCarrier(index, CarrierState{Up: true})
		if err != nil {
			t.Fatal(err)
		}
		var state CarrierState
		for _, want := range []bool{false, true, false, true} { // the first is what is, the others are what happens
			state, err = watch.Await()
			if err != nil || state.Up != want {
				t.Fatalf("%+v, %v, want %v", state, err, want)
			}
			set := c.handle.LinkSetUp
			if want {
				set = c.handle.LinkSetDown
			}
			if err := set(mustFind(t, c, "host0-peer")); err != nil {
				t.Fatal(err)
			}
		}
		watch.Close()
		for err == nil {
			_, err = watch.Await()
		}
		for _, set := range []func(netlink.Link) error{c.handle.LinkSetDown, c.handle.LinkSetUp} { // while nobody watches
			if err := set(mustFind(t, c, "host0-peer")); err != nil {
				t.Fatal(err)
			}
		}
		watch, err = WatchCarrier(index, state)
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		if later, err := watch.Await(); err != nil || later.Losses == state.Losses {
			t.Errorf("%+v, %v after %+v", later, err, state)
		}
	})
}
