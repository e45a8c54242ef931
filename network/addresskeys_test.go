package network

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/fstest"
)

// Settings of a free subnet are those of the address that it becomes.
func TestSettingsOfFreeSubnet(t *testing.T) {
	root := fstest.MapFS{"etc/systemd/network/a.network": {Data: []byte("[Address]\nAddress=0.0.0.0/28\nRouteMetric=5\n")}}
	files, _ := ReadFiles(root, SearchPath())
	c := &files[0].Config
	state := Desire(Link{Name: "ve-a"}, c, netip.MustParsePrefix("192.168.5.16/28"), netip.Prefix{})
	fixed := *c
	fixed.Replace(c.Addresses[0], netip.MustParsePrefix("10.0.0.1/24"))
	const want = "map[192.168.5.17/28:5] map[10.0.0.1/24:5] map[0.0.0.0/28:5]"
	metrics := func(settings map[netip.Prefix]AddressSettings) map[netip.Prefix]uint32 {
		all := map[netip.Prefix]uint32{}
		for a, s := range settings {
			all[a] = s.RouteMetric
		}
		return all
	}
	if got := fmt.Sprint(metrics(state.Settings), metrics(fixed.AddressSettings), metrics(c.AddressSettings)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// An address of ours whose settings are others now is set anew; one of somebody else's, or the same, is not.
func TestSettle(t *testing.T) {
	all := prefixes("10.1.0.1/24 10.2.0.1/24 10.3.0.1/24 10.4.0.1/24")
	settings := func(metric uint32) map[netip.Prefix]AddressSettings {
		return map[netip.Prefix]AddressSettings{all[0]: {RouteMetric: metric}, all[1]: {RouteMetric: 1}, all[2]: {RouteMetric: metric}, all[3]: {RouteMetric: metric}}
	}
	var d Difference
	d.Settle(settings(2), settings(1), []netip.Prefix{all[0], all[1], all[3]}, all[:3], all)
	if got, want := fmt.Sprint(d.Remove, d.Add), "[10.1.0.1/24] [10.1.0.1/24]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
