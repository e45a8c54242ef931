package network

import (
	"errors"
	"io/fs"
	"strings"

	"nspawnkit/network/lldp"
	"nspawnkit/settings"
)

// EmitLLDP is what EmitLLDP= and [LLDP] say.
type EmitLLDP struct {
	Enabled bool
	Group   lldp.Group
	MUDURL  string
}

// lldpKeys are the keys of LLDP.
var lldpKeys = [...]key{
	{"Network", "LLDP", setLLDP},
	{"Network", "EmitLLDP", setEmitLLDP},
	{"LLDP", "MUDURL", setMUDURL},
}

// setLLDP takes whose LLDP packets are collected.
func setLLDP(f *File, value string) error {
	if value == "" || value == "routers-only" {
		f.Config.LLDP = RoutersOnly
		return nil
	}
	on, err := settings.ParseBool(value)
	if err != nil {
		return errors.New("not a boolean or routers-only")
	}
	f.Config.LLDP = NoLLDP
	if on {
		f.Config.LLDP = AllLLDP
	}
	return nil
}

// LLDP is a value of LLDP=.
type LLDP int

// What is collected; the first is the default.
const (
	RoutersOnly LLDP = iota
	AllLLDP
	NoLLDP
)

// Listener returns how neighbours on a link are listened to, if they are.
func (c *Config) Listener(l Link) (listener lldp.Listener, ok bool) {
	return lldp.Listener{Name: l.Name, RoutersOnly: c.LLDP == RoutersOnly, Source: l.HardwareAddr}, c.LLDP != NoLLDP
}

func setEmitLLDP(f *File, value string) error {
	e := &f.Config.EmitLLDP
	groups := map[string]lldp.Group{
		"nearest-bridge": lldp.NearestBridge, "non-tpmr-bridge": lldp.NonTPMRBridge, "customer-bridge": lldp.CustomerBridge,
	}
	group, found := groups[value]
	on := found
	if !found && value != "" {
		var err error
		if on, err = settings.ParseBool(value); err != nil {
			return errors.New("not a boolean, nearest-bridge, non-tpmr-bridge or customer-bridge")
		}
		group = lldp.NearestBridge
	}
	e.Enabled, e.Group = on, lldp.Group{}
	if on {
		e.Group = group
	}
	return nil
}

// maxMUDURL is the longest that fits in the field, in bytes (RFC 8520, section 10).
const maxMUDURL = 251

func setMUDURL(f *File, value string) error {
	bad := strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' })
	if value != "" && (bad || len(value) > maxMUDURL || !strings.HasPrefix(value, "https://") && !strings.HasPrefix(value, "http://")) {
		return errors.New("not a URL of http or https of at most 251 characters")
	}
	f.Config.EmitLLDP.MUDURL = value
	return nil
}

// Frame returns the LLDP frame of a link; nil: none is sent.
func (c *Config) Frame(l Link, s lldp.Station) []byte {
	if !c.EmitLLDP.Enabled {
		return nil
	}
	return lldp.Frame(s, lldp.Port{
		Group: c.EmitLLDP.Group, Source: l.HardwareAddr, Name: l.Name, Description: c.Description, MUDURL: c.EmitLLDP.MUDURL,
	})
}

// ReadStation reads what LLDP tells of the host. What cannot be read is not told.
func ReadStation(root fs.FS) lldp.Station {
	text := func(path string) string {
		data, _ := fs.ReadFile(root, path)
		return strings.TrimSpace(string(data))
	}
	return lldp.Station{
		MachineID: text("etc/machine-id"), Name: text("proc/sys/kernel/hostname"), Pretty: prettyHostname(text("etc/machine-info")),
		Router: text("proc/sys/net/ipv4/ip_forward") == "1",
	}
}

// prettyHostname returns PRETTY_HOSTNAME= of a machine-info(5) file.
func prettyHostname(info string) string {
	pretty := ""
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_HOSTNAME="); found {
			pretty = strings.Trim(value, `"'`)
		}
	}
	return pretty
}
