package container

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"nspawnkit/settings"
)

// What networkd-lite is told. The addresses are those that systemd-nspawn gives.
func TestMachine(t *testing.T) {
	for name, change := range map[string]func(*settings.Settings){
		"none":   func(*settings.Settings) {},
		"veth":   func(s *settings.Settings) { s.Network.VirtualEthernet = true },
		"zone":   func(s *settings.Settings) { s.Network.VirtualEthernet, s.Network.Zone = true, "app" },
		"bridge": func(s *settings.Settings) { s.Network.VirtualEthernet, s.Network.Bridge = true, "br0" },
		"long-name": func(s *settings.Settings) {
			s.Machine, s.Network.VirtualEthernet = "a-machine-of-a-long-name", true
		},
		"extra": func(s *settings.Settings) {
			s.Network.VirtualEthernetExtra = []settings.InterfacePair{{Host: "ve-a", Container: "a"}, {Host: "ve-b", Container: "b"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) {
				s.Network.Private = true
				change(s)
			})
			data, err := json.MarshalIndent(plan.Machine, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "machine-"+name+".json", string(data)+"\n")
		})
	}
}

func TestNobodyServesTheNetwork(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*settings.Settings)
		warning string
	}{
		"no link": {func(*settings.Settings) {}, ""},
		"link":    {func(s *settings.Settings) { s.Network.VirtualEthernet = true }, ": start networkd-lite"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := mustDecide(t, func(s *settings.Settings, _ *Options, h *Host) {
				h.HasNetworkd, s.Network.Private = false, true
				test.change(s)
			})
			if got := strings.Join(plan.Warnings, "\n"); (test.warning == "") != (got == "") || !strings.Contains(got, test.warning) {
				t.Errorf("warnings %q", got)
			}
		})
	}
}

// What networkd-lite is told of ports, and what is said where nobody publishes them.
func TestPorts(t *testing.T) {
	ports := []settings.Port{
		{Origin: settings.Origin{File: "web.nspawn", Line: 3}, Protocol: "tcp", Host: 8080, Container: 80, Count: 1},
		{Origin: settings.Origin{Option: "--port=udp:[::1]:53-54"}, Protocol: "udp", Address: netip.IPv6Loopback(), Host: 53, Container: 53, Count: 2},
	}
	plan := mustDecide(t, func(s *settings.Settings, _ *Options, _ *Host) {
		s.Network.Private, s.Network.VirtualEthernet, s.Network.Ports = true, true, ports
	})
	data, err := json.MarshalIndent(plan.Machine, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "machine-ports.json", string(data)+"\n")
	for warning, change := range map[string]func(*settings.Settings, *Host){
		"": func(*settings.Settings, *Host) {},
		"web.nspawn:3: networkd-lite does not run, so no ports are published: start networkd-lite":           func(_ *settings.Settings, h *Host) { h.HasNetworkdLite = false },
		"web.nspawn:3: Port= needs a virtual Ethernet link, none of the container's links leads to the host": func(s *settings.Settings, _ *Host) { s.Network.VirtualEthernet = false },
	} {
		plan := mustDecide(t, func(s *settings.Settings, o *Options, h *Host) {
			s.Network.Private, s.Network.VirtualEthernet, s.Network.Ports, o.HasSystemd = true, true, ports, false
			change(s, h)
		})
		if got := strings.Join(plan.Warnings, "\n"); got != warning {
			t.Errorf("warnings %q, want %q", got, warning)
		}
	}
}

func TestHostWithoutMachineID(t *testing.T) {
	_, err := decide(t, func(s *settings.Settings, _ *Options, h *Host) {
		s.Network.Private, s.Network.VirtualEthernet, h.MachineID = true, true, ""
	})
	wantError(t, err, "systemd-machine-id-setup")
	if _, err := decide(t, func(_ *settings.Settings, _ *Options, h *Host) { h.MachineID = "" }); err != nil {
		t.Errorf("a container without links needs no machine ID of the host: %v", err)
	}
}
