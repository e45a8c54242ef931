package container

import (
	"bytes"
	"strings"
)

const (
	hostResolvConf = "/etc/resolv.conf"
	stubResolvConf = "/run/systemd/resolve/stub-resolv.conf"
)

// decideResolvConf follows --resolv-conf= of systemd-nspawn(1).
func decideResolvConf(p *Plan, host *Host) error {
	mode := p.Settings.Exec.ResolvConf
	if ours(mode) && p.Inside.NameServers {
		return nil // they are written when all is known
	}
	if ours(mode) {
		mode = automaticResolvConf(p, host)
	}
	if mode == "off" {
		return nil
	}
	action, kind, _ := strings.Cut(mode, "-")
	sources := map[string]string{
		"host": hostResolvConf, "stub": stubResolvConf,
		"static": "/usr/lib/systemd/resolv.conf", "uplink": "/run/systemd/resolve/resolv.conf",
	}
	p.Inside.ResolvConf = &EtcFile{Action: action, Source: sources[kind], Origin: p.Settings.Origin("Exec.ResolvConf").String()}
	return nil
}

// ours reports whether a mode of --resolv-conf= leaves it to us what is in the file.
func ours(mode string) bool { return mode == "auto" || mode == "" }

// automaticResolvConf chooses: a container with a network of its own finds its name servers itself; others use the host's
// resolver, or what the host uses.
func automaticResolvConf(p *Plan, host *Host) string {
	action := actionCopy
	if p.Settings.Files.ReadOnly {
		action = actionBind
	}
	switch {
	case p.Settings.Network.Private:
		return "off"
	case host.HasStubResolver:
		return action + "-stub"
	case host.HasResolvConf:
		return action + "-host"
	case p.Settings.Files.ReadOnly:
		return "off"
	}
	return actionDelete
}

// stubListens reports whether a table of /proc/net/udp has the socket of systemd-resolved's stub, 127.0.0.53 port 53: that it
// writes its file says nothing with DNSStubListener=no. The kernel prints the address as a number of the host's byte order.
func stubListens(table []byte) bool {
	return bytes.Contains(table, []byte(": 3500007F:0035 ")) || bytes.Contains(table, []byte(": 7F000035:0035 "))
}
