package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ours is where our program is in the root.
const ours = "/usr/bin/networkd-lite"

// few and many are the lengths of the prefixes of the two subnets.
const (
	few  = 24
	many = 16
)

// patience bounds what waits for something that must happen.
const patience = time.Minute

// subnet is what a server has to give out.
type subnet struct {
	server, relay, first, last netip.Addr
	mask                       string
	prefix                     int
}

func newSubnet(prefix int) subnet {
	s := subnet{prefix: prefix, mask: "255.255.255.0", last: netip.MustParseAddr("10.99.0.254")}
	if prefix == many {
		s.mask, s.last = "255.255.0.0", netip.MustParseAddr("10.99.255.254")
	}
	s.server, s.relay, s.first = netip.MustParseAddr("10.99.0.1"), netip.MustParseAddr("10.99.0.2"), netip.MustParseAddr("10.99.0.10")
	return s
}

// size is the number of addresses.
func (s subnet) size() int {
	first, last := s.first.As4(), s.last.As4()
	return int(last[2])<<8 + int(last[3]) - int(first[2])<<8 - int(first[3]) + 1
}

// server is a DHCP server to be measured. Leases are kept on disk by all of them, for an hour; none looks for hosts that use an address
// already, which a relay agent keeps from it anyhow.
type server struct {
	name    string
	files   func(subnet) map[string]string
	command func(subnet) []string
	version []string // prints it
}

// servers are measured in this order.
func servers() []server {
	return []server{
		{"networkd-lite", networkFile, func(subnet) []string { return []string{ours} }, nil},
		{"dnsmasq", nil, dnsmasq, []string{"dnsmasq", "--version"}},
		{"kea-dhcp4", keaFile, func(subnet) []string { return []string{"kea-dhcp4", "-c", keaPath} }, []string{"kea-dhcp4", "-v"}},
		{"systemd-networkd", networkFile, func(subnet) []string { return []string{networkd} }, []string{networkd, "--version"}},
	}
}

func serverNames() (names []string) {
	for _, s := range servers() {
		names = append(names, s.name)
	}
	return names
}

const (
	networkd     = "/usr/lib/systemd/systemd-networkd"
	networkdUser = 998 // that it becomes
)

// networkFile is for ours and systemd-networkd.
func networkFile(s subnet) map[string]string {
	return map[string]string{"/etc/systemd/network/10-bench.network": fmt.Sprintf(`[Match]
Name=%s
[Network]
Address=%v/%d
LinkLocalAddressing=no
IPv6AcceptRA=no
DHCPServer=yes
[DHCPServer]
PoolOffset=%d
PoolSize=%d
DefaultLeaseTimeSec=1h
PersistLeases=yes
`, serverSide, s.server, s.prefix, s.first.As4()[3], s.size())}
}

func dnsmasq(s subnet) []string {
	return []string{
		"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--log-facility=/dev/null", "--port=0",
		"--interface=" + serverSide, "--bind-interfaces", "--dhcp-leasefile=/var/lib/dnsmasq.leases", "--no-ping", "--dhcp-authoritative",
		fmt.Sprintf("--dhcp-lease-max=%d", s.size()), fmt.Sprintf("--dhcp-range=%v,%v,%s,1h", s.first, s.last, s.mask),
	}
}

const keaPath = "/etc/kea-bench.conf"

func keaFile(s subnet) map[string]string {
	return map[string]string{keaPath: fmt.Sprintf(`{"Dhcp4": {
"interfaces-config": {"interfaces": ["%s"]},
"lease-database": {"type": "memfile", "persist": true, "name": "/var/lib/kea/leases.csv"},
"valid-lifetime": 3600,
"subnet4": [{"id": 1, "subnet": "10.99.0.0/%d", "pools": [{"pool": "%v - %v"}]}],
"loggers": [{"name": "kea-dhcp4", "severity": "ERROR", "output-options": [{"output": "stderr"}]}]
}}`, serverSide, s.prefix, s.first, s.last)}
}

// environment is that of all programs.
func environment() []string {
	return append(os.Environ(), "SYSTEMD_NETWORK_PERSISTENT_STORAGE_READY=1", "SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_LEVEL=warning",
		"SYSTEMD_COLORS=0", "KEA_LOCKFILE_DIR=none")
}

// process is a program that runs.
type process struct {
	cmd  *exec.Cmd
	said output
	done chan struct{} // closed when it has ended
}

// output keeps the end of what a program prints.
type output struct {
	mu   sync.Mutex
	text []byte
}

// Write is part of [io.Writer].
func (o *output) Write(data []byte) (int, error) {
	const enough = 2000
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, data...)
	o.text = o.text[max(0, len(o.text)-enough):]
	return len(data), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(string(o.text))
}

func start(extra []string, command ...string) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), done: make(chan struct{})}
	p.cmd.Env = append(environment(), extra...)
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	return p, nil
}

// start starts the server.
func (s server) start(net subnet) (*process, error) {
	problems := []error{makeDirectories("/var/lib/kea", "/run/kea")}
	for _, path := range []string{"/run/systemd/netif", "/var/lib/systemd/network"} { // as the unit of systemd-networkd makes them
		problems = append(problems, makeDirectories(path), os.Chown(path, networkdUser, networkdUser))
	}
	if s.files != nil {
		for path, text := range s.files(net) {
			problems = append(problems, os.WriteFile(path, []byte(text), 0o644))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return start(nil, s.command(net)...)
}

// check says why a process has ended, if it has.
func (p *process) check() error {
	select {
	case <-p.done:
		return fmt.Errorf("it has ended: %v: %s", p.cmd.ProcessState, p.said.String())
	default:
		return nil
	}
}

// stop ends it by force.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(unix.SIGKILL)
	<-p.done
}

// number is the version of the server, empty for ours.
func (s server) number() string {
	if s.version == nil {
		return ""
	}
	out, _ := exec.Command(s.version[0], s.version[1:]...).Output()
	for _, field := range strings.Fields(string(out)) {
		if strings.Trim(field, "0123456789.") == "" {
			return field
		}
	}
	return "(no version)"
}
