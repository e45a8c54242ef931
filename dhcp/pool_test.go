package dhcp

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestPool(t *testing.T) {
	router, static := netip.MustParseAddr("10.0.0.4"), []StaticLease{{HardwareAddr{2}, netip.MustParseAddr("10.0.0.3"), ""}}
	for want, c := range map[string]Config{
		"[10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6]": {},
		"[10.0.0.5 10.0.0.6]":                            {PoolOffset: 3, Router: router, StaticLeases: static},
		"[10.0.0.2]":                                     {PoolSize: 2},
		"[]":                                             {PoolSize: 1},
	} {
		c.Link, c.ServerAddress = "vz-app", netip.MustParsePrefix("10.0.0.1/29")
		if list, err := c.Pool(); fmt.Sprint(list) != want || err != nil {
			t.Errorf("%v, %v, want %s", list, err, want)
		}
	}
	if list, err := (Config{}).Pool(); err == nil {
		t.Errorf("without an address: %v", list)
	}
}
