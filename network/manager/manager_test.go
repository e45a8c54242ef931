package manager

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/lldp"
	"nspawnkit/settings"
)

// host is a host made of tables: all the interfaces of a [Manager].
type host struct {
	t         *testing.T
	links     []network.Link
	routes    []network.Route
	routes6   []network.Route
	advertise []string     // what routers do and say
	flapped   []string     // links that lost their carrier for a moment, and those that networkd was to begin again
	outcome   dhcp.Outcome // of every client
	requests  []string     // to renumber a link
	managed   map[int]bool
	setUp     map[int]bool // by systemd-networkd
	table     *network.Firewall
	ports     []network.BridgeGuard // all that the table of bridges ever held
	bridgeErr error
	serves    bool
	static    []network.StaticRoute // of the link 3
	removed   []network.StaticRoute
	hops      []network.NextHop
	listeners map[int]lldp.Listener
	sysctls   map[string]string
	frames    map[int][]byte // of LLDP
	files     fstest.MapFS
	saved     map[string][]byte
	log       []string
	applyErr  error

	reconfigureErr error
	devices        []string // what was configured
	openErr        error
	failed         func(error) // makes the latest server give up
	routerFailed   func(error) // the same of router advertisements
	serving        chan string // "+ve-web 10.0.0.1/28" and "-ve-web"
	now            time.Time
	published
}

func (h *host) List() ([]network.Link, error)    { return slices.Clone(h.links), nil }
func (h *host) Routes() ([]network.Route, error) { return slices.Clone(h.routes), nil }
func (h *host) Manages(index int) bool           { return h.managed[index] }
func (h *host) IsSetUp(index int) bool           { return h.setUp[index] }
func (h *host) Reconfigure(_ context.Context, index int) error {
	h.flapped = append(h.flapped, fmt.Sprintf("reconfigure %d", index))
	return h.reconfigureErr
}
func (h *host) Replace(want network.Firewall) error { h.table = &want; return nil }
func (h *host) Load(name string) ([]byte, error)    { return h.saved[name], nil }
func (h *host) Save(name string, data []byte) error { h.saved[name] = data; return nil }
func (h *host) Get(path string) (string, error)     { return h.sysctls[path], nil }
func (h *host) Set(path, value string) error        { h.sysctls[path] = value; return nil }
func (h *host) report(p Priority, text string)      { h.log = append(h.log, fmt.Sprintf("<%d>%s", p, text)) }

// Update fails like the kernel when somebody has flushed the table.
func (h *host) Update(add, remove network.Firewall) error {
	if h.table == nil {
		return errors.New("no such table")
	}
	var table network.Firewall
	for _, name := range append(h.table.Missing(remove).Masquerade4, add.Masquerade4...) {
		table.Add(name, network.Families{IPv4: true})
	}
	for _, name := range append(h.table.Missing(remove).Masquerade6, add.Masquerade6...) {
		table.Add(name, network.Families{IPv6: true})
	}
	h.updatePorts(&table, add, remove)
	h.table = &table
	return nil
}

func (h *host) ReplaceBridge(ports network.BridgeGuard) error {
	h.ports = append(h.ports, ports)
	return h.bridgeErr
}

func (h *host) Configure(l network.Link, want, had network.LinkSettings) error {
	h.devices = append(h.devices, fmt.Sprintf("%s mtu %d, was %d", l.Name, want.MTUBytes, had.MTUBytes))
	return h.applyErr
}

func (h *host) Apply(l network.Link, d network.Difference) error {
	if h.applyErr != nil {
		return h.applyErr
	}
	for i := range h.links {
		if h.links[i].Index != l.Index {
			continue
		}
		found := &h.links[i]
		found.Up = found.Up || d.Up
		found.Addresses = slices.DeleteFunc(slices.Concat(found.Addresses, d.Add), func(a netip.Prefix) bool { return slices.Contains(d.Remove, a) })
		for _, s := range d.Sysctl {
			h.sysctls[s.Path] = s.Value
		}
		return nil
	}
	return network.ErrNoLink
}

func (h *host) Flap(links []network.Link) error {
	var names []string
	for _, l := range links {
		names = append(names, l.Name)
	}
	h.flapped = append(h.flapped, strings.Join(names, "+"))
	return nil
}

func (h *host) Open(l network.Link, c dhcp.Config, persist string, failed func(error)) (Server, error) {
	if h.openErr != nil {
		return nil, h.openErr
	}
	h.serving <- fmt.Sprintf("+%s %v %s", l.Name, c.ServerAddress, persist)
	h.failed = failed
	return &server4{h, l.Name}, nil
}

// server4 is a DHCP server whose clients all fare as the host says.
type server4 struct {
	host *host
	link string
}

func (s *server4) Close()                                 { s.host.serving <- "-" + s.link }
func (s *server4) Outcome(dhcp.HardwareAddr) dhcp.Outcome { return s.host.outcome }

const shipped = "[Match]\nName=ve-* vz-*\n[Network]\nAddress=0.0.0.0/28\nDHCPServer=yes\nIPMasquerade=both\n"

func newHost(t *testing.T) *host {
	return &host{
		t: t, managed: map[int]bool{}, setUp: map[int]bool{}, sysctls: map[string]string{}, saved: map[string][]byte{}, serving: make(chan string, 100),
		files: fstest.MapFS{"usr/lib/nspawnkit/network/80-ve.network": {Data: []byte(shipped)}}, now: time.Unix(1e9, 0),
	}
}

// start begins the life of a daemon on the host.
func (h *host) start() *Manager {
	m := &Manager{
		Links: h, Devices: h, Routes: h, NextHops: h, Firewall: h, Sysctls: h, Owner: h, DHCP: h, State: h, Runtime: h, Report: h.report,
		Files:    func() (network.Files, []settings.Problem) { return network.ReadFiles(h.files, network.SearchPath()) },
		Host:     func() network.Host { return network.Host{} },
		Machines: (&network.MachineFiles{Root: h.files}).Read,
		Routes6:  func() ([]network.Route, error) { return slices.Clone(h.routes6), nil }, Router: h.openRouter,
		Random: strings.NewReader("a global ID, and another one"),
		Serves: func(any bool) { h.serves = any },
		LLDP:   lldpFrames{h}, ListenLLDP: func(links map[int]lldp.Listener) { h.listeners = links },
		Station: func() lldp.Station { return lldp.Station{Name: "host"} },
		Now:     func() time.Time { return h.now },
	}
	m.Requests = func() []string { list := h.requests; h.requests = nil; return list }
	h.publish(m)
	m.Start()
	h.t.Cleanup(m.stopServers)
	return m
}

func (h *host) add(index int, name, kind string) {
	h.links = append(h.links, network.Link{Index: index, Name: name, Kind: kind})
}

func (h *host) remove(index int) {
	h.links = slices.DeleteFunc(h.links, func(l network.Link) bool { return l.Index == index })
}

// look lets the manager look and compares what it said and what the DHCP servers did.
func (h *host) look(m *Manager, log string, serving ...string) {
	h.t.Helper()
	h.log = nil
	m.Reconcile(h.t.Context())
	if got := strings.Join(h.log, "\n"); got != log {
		h.t.Errorf("said:\n%s\nwant:\n%s", got, log)
	}
	for _, want := range serving {
		select {
		case got := <-h.serving:
			if got != want {
				h.t.Errorf("DHCP: %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			h.t.Fatalf("DHCP: nothing, want %q", want)
		}
	}
	if len(h.serving) > 0 {
		h.t.Errorf("DHCP: %q not expected", <-h.serving)
	}
}

func (h *host) masqueraded(want ...string) {
	h.t.Helper()
	if h.table == nil || !slices.Equal(h.table.Masquerade4, want) || !slices.Equal(h.table.Masquerade6, want) {
		h.t.Errorf("table %v, want %v", h.table, want)
	}
}

const (
	forwarding = "<5>sysctl net/ipv4/ip_forward=1\n<5>sysctl net/ipv6/conf/all/forwarding=1\n"
	configured = "<6>ve-web: 192.168.177.49/28, DHCP server, masquerading"
	serving    = "+ve-web 192.168.177.49/28 yes"
)

// running returns a host with one container and its daemon.
func running(t *testing.T) (*host, *Manager) {
	h := newHost(t)
	m := h.start()
	h.add(2, "eth0", "")
	h.add(3, "ve-web", "veth")
	h.look(m, forwarding+configured, serving)
	h.masqueraded("ve-web")
	return h, m
}

func TestLinkLife(t *testing.T) {
	h, m := running(t)
	h.look(m, "") // nothing new
	if h.links[0].Up || len(h.links[0].Addresses) > 0 {
		t.Errorf("touched %v", h.links[0])
	}

	h.remove(3)
	h.add(4, "ve-web", "veth") // restarted: the same name and address
	h.look(m, "<6>ve-web: gone\n"+configured, "-ve-web", serving)
	h.masqueraded("ve-web")

	h.add(5, "ve-dummy", "dummy") // not a veth
	h.add(6, "vz-app", "bridge")
	h.look(m, "<6>vz-app: 192.168.230.241/28, DHCP server, masquerading", "+vz-app 192.168.230.241/28 yes")
	h.masqueraded("ve-web", "vz-app")

	h.remove(4)
	h.look(m, "<6>ve-web: gone", "-ve-web")
	h.remove(6)
	h.look(m, "<6>vz-app: gone", "-vz-app")
	h.masqueraded()
}

// A daemon that was killed leaves all in place; the next one takes it over without a change.
func TestRestart(t *testing.T) {
	h, m := running(t)
	h.look(m, "")
	m.stopServers()
	<-h.serving
	before := fmt.Sprint(h.links, h.table)
	h.look(h.start(), configured, serving)
	if after := fmt.Sprint(h.links, h.table); after != before {
		t.Errorf("before %s, after %s", before, after)
	}
}

// What an earlier daemon set is taken back when the files say otherwise now.
func TestRestartWithOtherFile(t *testing.T) {
	h, m := running(t)
	m.stopServers()
	<-h.serving
	h.files["etc/systemd/network/10.network"] = &fstest.MapFile{Data: []byte("[Match]\nName=ve-web\n[Network]\nAddress=10.0.0.1/24\n")}
	h.links[1].Addresses = append(h.links[1].Addresses, netip.MustParsePrefix("10.9.9.9/32")) // an admin's
	h.look(h.start(), "<6>ve-web: 10.0.0.1/24")
	if got := fmt.Sprint(h.links[1].Addresses); got != "[10.9.9.9/32 10.0.0.1/24]" {
		t.Errorf("addresses %s", got)
	}
	h.masqueraded()
}

func TestReload(t *testing.T) {
	h, m := running(t)
	h.files["etc/systemd/network/80-ve.network"] = &fstest.MapFile{Data: []byte("")} // masked
	h.look(m, "")                                                                    // not before SIGHUP
	m.Load()
	h.look(m, "<6>ve-web: no .network file matches", "-ve-web")
	h.masqueraded()
	delete(h.files, "etc/systemd/network/80-ve.network")
	h.files["etc/systemd/network/80-ve.network.d/a.conf"] = &fstest.MapFile{Data: []byte("[Network]\nAddress=10.0.0.1/24\nDHCP=yes\n")}
	h.files["usr/lib/nspawnkit/network/80-ve.network.d/a.conf"] = &fstest.MapFile{Data: []byte("[Network]\nAddress=\n")}
	m.Load()
	h.look(m, "<4>/etc/systemd/network/80-ve.network.d/a.conf:3: [Network] DHCP=: networkd-lite supports only \"no\"\n"+
		"<6>ve-web: 192.168.177.49/28, 10.0.0.1/24, DHCP server, masquerading", serving)
}

func TestFailures(t *testing.T) {
	h := newHost(t)
	m := h.start()
	h.add(3, "ve-bad", "veth")
	h.applyErr = errors.New("add address: no")
	h.look(m, forwarding+"<3>ve-bad: add address: no")
	h.applyErr = nil
	h.look(m, "") // not yet
	h.now = h.now.Add(2 * time.Second)
	h.openErr = errors.New("in use")
	h.look(m, "<3>ve-bad: DHCP server: in use")
	h.now = h.now.Add(2 * time.Minute)
	h.look(m, "") // said once
	h.openErr = nil
	h.now = h.now.Add(2 * time.Minute)
	h.look(m, "<6>ve-bad: 192.168.84.225/28, DHCP server, masquerading", "+ve-bad 192.168.84.225/28 yes")
	h.failed(errors.New("receive: no"))
	<-m.ended
	h.look(m, "<3>ve-bad: DHCP server: receive: no", "-ve-bad")
	h.now = h.now.Add(2 * time.Minute)
	h.look(m, "<6>ve-bad: 192.168.84.225/28, DHCP server, masquerading", "+ve-bad 192.168.84.225/28 yes")

	h.table = nil // nft flush ruleset
	h.remove(3)
	h.look(m, "<6>ve-bad: gone\n<4>no such table, putting the table in place again", "-ve-bad")
	h.masqueraded()
}

func TestLostState(t *testing.T) {
	h, m := running(t)
	m.stopServers()
	<-h.serving
	h.saved[SubnetsFile] = []byte("{torn")
	h.saved[StatusFile] = nil
	h.links[1].Addresses = []netip.Prefix{netip.MustParsePrefix("10.3.3.1/28")}
	m = h.start()
	if string(h.saved[SubnetsFile+".bad"]) != "{torn" || len(h.log) == 0 {
		t.Errorf("the torn file is lost, said %q", h.log)
	}
	h.look(m, "<6>ve-web: 10.3.3.1/28, DHCP server, masquerading", "+ve-web 10.3.3.1/28 yes") // as it is carried
}

func TestRunStops(t *testing.T) {
	h := newHost(t)
	m := h.start()
	h.add(3, "ve-web", "veth")
	ctx, cancel := context.WithCancel(t.Context())
	rounds := 0
	m.Now = time.Now
	m.Run(ctx, nil, nil, time.Millisecond, func() {
		if rounds++; rounds == 3 { // the watchdog is fed though nothing happens
			cancel()
		}
	})
	if got := []string{<-h.serving, <-h.serving}; !slices.Equal(got, []string{serving, "-ve-web"}) {
		t.Errorf("DHCP: %q", got)
	}
	h.masqueraded("ve-web") // traffic keeps flowing
}

// A subnet is free of everything that the host has and the files promise.
func TestSubnetClash(t *testing.T) {
	for name, occupy := range map[string]func(h *host){
		"address": func(h *host) { h.links[0].Addresses = []netip.Prefix{netip.MustParsePrefix("192.168.177.10/24")} },
		"route": func(h *host) {
			h.routes = []network.Route{{Destination: netip.MustParsePrefix("192.168.177.0/24"), Link: 2}}
		},
		"file": func(h *host) {
			h.files["etc/systemd/network/90.network"] = &fstest.MapFile{Data: []byte("[Match]\nName=eth9\n[Network]\nAddress=192.168.177.1/24\n")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.add(2, "eth0", "")
			h.add(3, "ve-web", "veth")
			occupy(h)
			h.look(h.start(), forwarding+"<6>ve-web: 192.168.178.1/28, DHCP server, masquerading", "+ve-web 192.168.178.1/28 yes")
		})
	}
}

// A machine that cannot be read is reported once, and again when it is broken anew.
func TestBrokenMachine(t *testing.T) {
	h := newHost(t)
	m := h.start()
	file := &fstest.MapFile{Data: []byte("{"), ModTime: h.now}
	h.files["run/nspawnkit/machines/web.json"] = file
	const problem = "<4>/run/nspawnkit/machines/web.json: unexpected end of JSON input"
	h.look(m, problem)
	h.look(m, "")
	h.files["run/nspawnkit/machines/web.json"] = &fstest.MapFile{Data: []byte(`{"version":1,"name":"web"}`)}
	h.look(m, "")
	h.files["run/nspawnkit/machines/web.json"] = file
	h.look(m, problem)
}

// What a file says about the device is set once for each change of the file.
func TestDevice(t *testing.T) {
	h, m := running(t)
	if len(h.devices) > 0 {
		t.Errorf("configured %q", h.devices)
	}
	const dropIn = "etc/systemd/network/80-ve.network.d/a.conf"
	h.files[dropIn] = &fstest.MapFile{Data: []byte("[Link]\nMTUBytes=1400\n")}
	m.Load()
	h.look(m, "")
	h.look(m, "")
	h.files[dropIn] = &fstest.MapFile{Data: []byte("[Link]\nMTUBytes=1300\n")}
	m.Load()
	h.look(m, "")
	if got := strings.Join(h.devices, "; "); got != "ve-web mtu 1400, was 0; ve-web mtu 1300, was 1400" {
		t.Errorf("configured %q", got)
	}
	h.files[dropIn] = &fstest.MapFile{Data: []byte("[Link]\nUnmanaged=yes\n")}
	m.Load()
	h.look(m, "<6>ve-web: left alone by Unmanaged=yes", "-ve-web")
	if len(h.links[1].Addresses) > 0 {
		t.Errorf("addresses %v left", h.links[1].Addresses)
	}
}

// ActivationPolicy=manual leaves a link that is down to somebody else.
func TestActivationPolicy(t *testing.T) {
	h := newHost(t)
	h.files["etc/systemd/network/10.network"] = &fstest.MapFile{Data: []byte("[Match]\nName=ve-web\n[Link]\nActivationPolicy=manual\n[Network]\nAddress=10.0.0.1/24\n")}
	h.add(3, "ve-web", "veth")
	h.look(h.start(), "<6>ve-web: 10.0.0.1/24")
	if h.links[0].Up {
		t.Error("brought up")
	}
}
