package dhcp

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// zoneConfig is that of a zone with two containers.
func zoneConfig() Config {
	config := wide()
	config.Containers = &Containers{}
	config.Containers.Set(map[HardwareAddr]string{mac(1): "web", mac(2): "db"})
	return config
}

// A container keeps its address with another client identifier and another hardware address, over a restart of the server.
func TestContainerKeepsAddress(t *testing.T) {
	config := zoneConfig()
	store := &memory{}
	journal, server, _ := open(t, store, config)
	address := obtain(t, server, start(), mac(1), calls("\xfffirst boot"))
	if got := obtain(t, server, start(), mac(1), calls("\xffsecond boot")); got != address {
		t.Errorf("with another identifier: %v, before %v", got, address)
	}
	config.Containers.Set(map[HardwareAddr]string{mac(7): "web", mac(2): "db"})
	if got := obtain(t, server, start(), mac(7)); got != address {
		t.Errorf("with another hardware address: %v, before %v", got, address)
	}
	if err := journal.Commit(leasesOf(server)); err != nil || !strings.Contains(string(store.content), `"container":"web","hardware":"02:00:00:00:00:07"`) {
		t.Errorf("journal %s, %v", store.content, err)
	}
	_, restarted, problems := open(t, store, config)
	if got := obtain(t, restarted, start().Add(time.Hour), mac(7), calls("\xffthird boot")); got != address || len(problems) > 0 {
		t.Errorf("after a restart: %v, before %v; %v", got, address, problems)
	}
	if got := obtain(t, restarted, start(), mac(1)); got == address {
		t.Error("the former hardware address has the lease, too")
	}
}

// Nobody gets the lease of a container by a client identifier.
func TestContainerIsNotClaimed(t *testing.T) {
	server := newServer(t, zoneConfig())
	address := obtain(t, server, start(), mac(1))
	const claim = "container:web"
	if got := obtain(t, server, start(), mac(9), calls(claim)); got == address {
		t.Error("a client took a container's lease")
	}
	renewal := ask(dhcpv4.MessageTypeRequest, mac(9), calls(claim), from(address.String()))
	if reply, _ := server.Reply(renewal, start()); reply.MessageType() != dhcpv4.MessageTypeNak {
		t.Errorf("renewal: %v", reply)
	}
	if leases := leasesOf(server); len(leases) != 2 {
		t.Errorf("leases %v", leases)
	}
	for _, lease := range leasesOf(server) {
		if (lease.Container() == "web") != (lease.Address == address) {
			t.Errorf("%v", lease)
		}
	}
}

// What a client was given before it was known to be a container stays with it.
func TestContainerAdopts(t *testing.T) {
	config := zoneConfig()
	config.Containers.Set(nil)
	server := newServer(t, config)
	address := obtain(t, server, start(), mac(1), calls("\xff1234"))
	config.Containers.Set(map[HardwareAddr]string{mac(1): "web"})
	ack, err := server.Reply(ask(dhcpv4.MessageTypeRequest, mac(1), calls("\xff1234"), from(address.String())), start())
	if err != nil || ack.MessageType() != dhcpv4.MessageTypeAck {
		t.Errorf("renewal: %v, %v", ack, err)
	}
	if leases := leasesOf(server); len(leases) != 1 || leases[0].Container() != "web" {
		t.Errorf("leases %v", leases)
	}
	checkTable(t, server.leases)
}

func TestContainerNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"web": true, "web-1.x_y": true, "web/eth1": true, "": false, `a"b`: false, "a\n": false, "a b": false, "ü": false, strings.Repeat("a", 129): false,
	} {
		config := zoneConfig()
		config.Containers.Set(map[HardwareAddr]string{mac(1): name})
		server := newServer(t, config)
		obtain(t, server, start(), mac(1))
		if got := leasesOf(server)[0].Container(); (got == name) != valid && name != "" {
			t.Errorf("%q was recorded as %q", name, got)
		}
	}
	for line, want := range map[string]string{
		`{"address":"10.0.0.5","container":"a b","hardware":"02:00:00:00:00:01","expires":1}`:                     "not the name of a container",
		`{"address":"10.0.0.5","client":"636f6e7461696e65723a776562","hardware":"02:00:00:00:00:01","expires":1}`: "is that of a container",
	} {
		if _, err := parseLease([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// A pool that is used up is said once, and again when it was not meanwhile.
func TestExhaustionIsSaidOnce(t *testing.T) {
	config := vethConfig()
	config.PoolSize = 2 // the server's own is one of them
	server := newServer(t, config)
	first := obtain(t, server, start(), mac(1))
	said := func(n int) bool {
		_, err := server.Reply(ask(dhcpv4.MessageTypeDiscover, mac(n)), start())
		if !errors.Is(err, ErrNoAddress) {
			t.Errorf("%v", err)
		}
		return !errors.As(err, new(repeated))
	}
	if !said(2) || said(2) || said(3) {
		t.Error("not said once")
	}
	server.Reply(ask(dhcpv4.MessageTypeRelease, mac(1), from(first.String())), start())
	obtain(t, server, start(), mac(4))
	if !said(5) || said(6) {
		t.Error("not said once more")
	}
}
