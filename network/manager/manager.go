package manager

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
	"nspawnkit/network/lldp"
	"nspawnkit/network/ra"
	"nspawnkit/settings"
)

// Links is the kernel's side of links. [nspawnkit/network/kernel.Links] is one.
type Links interface {
	List() ([]network.Link, error)
	Routes() ([]network.Route, error)
	Apply(network.Link, network.Difference) error
	// Flap takes the carriers away for a moment: containers behind the links then ask for an address again.
	Flap(links []network.Link) error
}

// Firewall is the nft table of ours. [nspawnkit/network/kernel.Firewall] is one.
type Firewall interface {
	Replace(network.Firewall) error
	Update(add, remove network.Firewall) error
	ReplaceBridge(network.BridgeGuard) error
}

// Sysctls are the kernel parameters below /proc/sys.
type Sysctls interface {
	Get(path string) (string, error)
	Set(path, value string) error
}

// Owner knows which links systemd-networkd manages. [nspawnkit/network/networkd.Owner] is one.
type Owner interface {
	Manages(index int) bool
	// IsSetUp reports whether it is done with a link that it manages.
	IsSetUp(index int) bool
	// Reconfigure has it set up a link from the beginning.
	Reconfigure(ctx context.Context, index int) error
}

// DHCP opens DHCP servers. persist is a value of PersistLeases= and says where the leases are kept. failed is called, from any goroutine
// and at most once, when the server has to give up; it is closed nevertheless.
type DHCP interface {
	Open(l network.Link, c dhcp.Config, persist string, failed func(error)) (Server, error)
}

// Server is a DHCP server that serves one link. It must not need a goroutine of its own: a host has hundreds.
type Server interface {
	// Close ends it; afterwards its lease journal is complete.
	Close()
	// Outcome says what came of a client's requests, see [dhcp.Server.Outcome].
	Outcome(hardware dhcp.HardwareAddr) dhcp.Outcome
}

// Proxy takes connections to ports of the loopback link to containers. [nspawnkit/network/kernel/proxy.Proxy] is one.
type Proxy interface {
	// Lead says where the ports lead from now on, and returns where it listens.
	Lead(network.Loopback) map[network.Listener]uint16
}

// Store keeps files over restarts. A missing file is nil without an error.
type Store interface {
	Load(name string) ([]byte, error)
	Save(name string, data []byte) error
}

// Priority is how much a message matters, in the numbers of syslog(3).
type Priority int

// The priorities that are used.
const (
	Error   Priority = 3
	Warning Priority = 4
	Notice  Priority = 5
	Info    Priority = 6
)

// Manager configures the links of containers. Its methods are for one goroutine.
type Manager struct {
	Links    Links
	Devices  Devices
	Routes   Routes
	NextHops NextHops
	Firewall Firewall
	Sysctls  Sysctls
	Owner    Owner
	DHCP     DHCP
	DNS      DNS // nil: containers get no names
	// Router begins to advertise on a link until stop ([ra.Router]). It needs no goroutine of its own, and calls failed as [DHCP] does.
	Router   func(l network.Link, a *ra.Advertisement, failed func(error)) (stop func(cause error), err error)
	State    Store                                      // subnets.json and prefixes.json, kept over reboots
	Runtime  Store                                      // status.json, gone after a reboot
	Files    func() (network.Files, []settings.Problem) // reads the .network files
	Host     func() network.Host                        // reads what the host uses itself
	Machines func() (network.Machines, []error)         // reads what is known of running containers
	Routes6  func() ([]network.Route, error)            // lists the IPv6 routes
	Random   io.Reader                                  // for the global ID of IPv6 prefixes of our own (RFC 4193)
	Serves   func(any bool)                             // is told after every look whether there are links of containers
	Requests func() []string                            // takes the names of links that are to get another subnet
	LLDP     LLDP
	// ListenLLDP is told after every look on which links, by index, neighbours are listened to ([lldp.Neighbours]).
	ListenLLDP func(map[int]lldp.Listener)
	Station    func() lldp.Station           // reads what LLDP tells of the host
	Report     func(p Priority, text string) // takes messages, one line each

	Lease       func(network.Link, network.HardwareAddr) netip.Addr // what the DHCP server of a link gave to a container; zero: nothing
	Neighbours  func() ([]network.Neighbour, error)                 // of all links
	ForgetFlows func(stale func(network.Flow) bool) error           // has tracked connections end
	Proxy       Proxy
	Resolve     func([]network.LinkResolving) // is told after every look whom the host is to ask over links; nil: nobody is
	Now         func() time.Time

	files    network.Files
	warned   map[settings.Problem]bool // problems of files that were reported
	subnets  network.Subnets
	prefixes network.LocalPrefixes
	machines network.Machines   // as of the latest look
	host     *network.Host      // the same; nil: not read yet
	broken   map[string]bool    // problems of machines that were reported
	links    map[int]*link      // by index
	previous map[int]LinkStatus // what an earlier process did, by index
	table    *network.Firewall  // what the nft table holds; nil: unknown
	saved    [sha256.Size]byte  // of the last status.json
	ended    chan struct{}      // a DHCP or DNS server has ended
	routes   atomic.Bool        // have changed since they were looked at
	declines atomic.Bool        // there were, since they were looked at

	list         []network.Link                // as of the latest look
	routeList    []network.Route               // as of the latest look; nil: not read yet
	staticRoutes map[int][]network.StaticRoute // the same, by link
	leftRoutes   []network.StaticRoute         // by links that have gone: to be removed
	nextHopList  []network.NextHop             // as of the latest look; nil: not read yet
	leftNextHops []network.NextHop             // as leftRoutes
	newHops      bool                          // next hops were set in this look
	unsaved      bool                          // subnets were chosen
	flapping     []flap                        // links of which containers are to notice something, of this look
	forwarded    network.Families              // what the host was found to forward in this look

	routeList6      []network.Route // the same of IPv6
	unsavedPrefixes bool
	naming          nameState
	ports           ports
}

// link is what is known of a link that exists.
type link struct {
	network.Link
	file     *network.File                            // nil: not ours to configure
	subnet   netip.Prefix                             // chosen for Address=0.0.0.0/N
	prefix   netip.Prefix                             // chosen for Address=::/N
	state    network.State                            // as it is to be
	ours     []netip.Prefix                           // addresses that are there because of us
	routes   []network.StaticRoute                    // the same
	waiting  []network.StaticRoute                    // of which something is not there yet
	nextHops []network.NextHop                        // that are there because of us
	noHops   []uint32                                 // IDs of those that cannot be yet
	settings map[netip.Prefix]network.AddressSettings // of some of ours
	server   *server
	router   *router
	noIPv6   string // why the link has no IPv6; empty: it has, or is to have none
	names    []*nameServer
	suffix   string // of the names

	containers dhcp.Containers      // on a bridge
	device     network.LinkSettings // as set last
	settled    *network.Link        // as the last look that had no error found it

	since            time.Time  // when the link was seen first, or went up or down at the other end
	earlier          bool       // an earlier process looked after it
	leased           bool       // the container has had a lease
	declined         netip.Addr // the address that it declined, and has had none since
	noLease, overlap problem
	left             time.Time // to systemd-networkd, which is to set it up before containers are to notice; zero: they did
	begunAgain       time.Time // when systemd-networkd began again with it, until it was looked whether it ended
	flap             bool      // the subnet was changed: containers are to notice

	note  string        // reported last
	err   error         // why the last attempt failed
	wait  time.Duration // from the last failure to the next attempt
	again time.Time     // of the next attempt
}

// Start reads what was kept from earlier and the .network files.
func (m *Manager) Start() {
	m.links = map[int]*link{}
	m.ended = make(chan struct{}, 1)
	m.routes.Store(true)
	m.loadSubnets()
	m.loadPrefixes()
	m.loadStatus()
	m.Load()
}

// Load reads the .network files. The next look compares everything with them.
func (m *Manager) Load() {
	var problems []settings.Problem
	m.files, problems = m.Files()
	m.warned = map[settings.Problem]bool{}
	m.naming.said = map[string]bool{}
	m.warn(problems...)
	m.table = nil // put the table in place again, whatever has become of it
	for _, l := range m.links {
		l.again, l.settled = time.Time{}, nil
	}
}

// Run looks after the links until ctx ends: whenever something is received from changes, and with .network files read
// again for reload. alive is called after every look, and at least once in each interval. What was set up stays when ctx
// ends; only the DHCP servers and the router advertisements stop.
func (m *Manager) Run(ctx context.Context, changes, reload <-chan struct{}, interval time.Duration, alive func()) {
	defer m.stopServers()
	next := m.Reconcile(ctx)
	for due := m.Now().Add(next); ; {
		alive()
		timer := time.NewTimer(min(interval, due.Sub(m.Now())))
		look := true
		select {
		case <-ctx.Done():
		case <-changes:
		case <-m.ended:
		case <-reload:
			m.Load()
		case <-timer.C:
			look = !m.Now().Before(due)
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
		if look {
			began := time.Now()
			due = m.Now().Add(m.Reconcile(ctx))
			pause(ctx, time.Since(began))
		}
	}
}

const (
	idle                   = time.Hour // until the next look when nothing was heard of
	firstWait, longestWait = time.Second, time.Minute
)

// Reconcile looks at all links once and sets what differs. It returns how long to wait until the next look when nothing
// happens before: what failed is tried again.
func (m *Manager) Reconcile(ctx context.Context) (next time.Duration) {
	list, err := m.Links.List()
	if err != nil {
		m.Report(Error, err.Error())
		return firstWait
	}
	m.list, m.routeList, m.routeList6, m.staticRoutes, m.nextHopList, m.forwarded = list, nil, nil, nil, nil, network.Families{}
	m.forget(list)
	m.readMachines()
	for _, name := range m.Requests() {
		if err := m.renumber(name, list); err != nil {
			m.Report(Error, "renumber: "+err.Error())
		}
	}
	m.host, m.naming.retry = nil, false
	next = idle
	m.meetAll(list)
	m.chooseSubnets(list)
	for _, found := range list {
		l := m.links[found.Index]
		if ctx.Err() != nil {
			return idle // the end: servers have ended, too, which is no failure of theirs
		}
		if l == nil {
			continue
		}
		if wait := l.again.Sub(m.Now()); wait > 0 {
			next = min(next, wait)
		} else if err := m.reconcile(ctx, l, list); err != nil {
			next = min(next, m.failed(l, err))
		} else {
			l.err, l.wait = nil, 0
		}
	}
	m.forgetPrevious()
	next = min(next, m.removeLeftRoutes(), m.removeLeftNextHops())
	if err := m.choosePorts(list); err != nil {
		m.Report(Error, err.Error())
		next = min(next, longestWait)
	}
	if err := m.reconcileTable(); err != nil {
		m.Report(Error, err.Error())
		next = min(next, longestWait)
	} else {
		m.forgetFlows(m.table.Ports)
	}
	m.updateNames()
	m.resolving()
	next = min(next, m.retryNames())
	m.Serves(len(m.links) > 0)
	next = min(next, m.findProblems(list))
	m.emitLLDP()
	m.listenLLDP()
	m.flapAll()
	next = min(next, m.nextLeft())
	m.saveStatus()
	m.savePorts()
	return next
}

// readMachines reads what is known of running containers. What cannot be read is reported once.
func (m *Manager) readMachines() {
	machines, problems := m.Machines()
	m.machines = machines
	broken := map[string]bool{}
	for _, err := range problems {
		if broken[err.Error()] = true; !m.broken[err.Error()] {
			m.Report(Warning, err.Error())
		}
	}
	m.broken = broken
}

// forget drops the links that have gone, or have another name now.
func (m *Manager) forget(list []network.Link) {
	names := map[int]string{}
	for _, l := range list {
		names[l.Index] = l.Name
	}
	for index, l := range m.links {
		if names[index] == l.Name {
			continue
		}
		l.stopServer()
		l.stopRouter(nil)
		l.stopNames()
		m.leaveRoutes(l.routes, l.nextHops)
		delete(m.links, index)
		if l.file != nil {
			m.Report(Info, l.Name+": gone")
		}
	}
}

// failed reports a failure and returns when to try again.
func (m *Manager) failed(l *link, err error) time.Duration {
	if errors.Is(err, network.ErrNoLink) {
		return firstWait // the kernel's message that it has gone is on its way
	}
	l.wait = min(max(2*l.wait, firstWait), longestWait)
	l.again = m.Now().Add(l.wait)
	l.err = err
	m.note(l, Error, err.Error())
	return l.wait
}

// note reports something about a link, unless that was the last thing reported about it.
func (m *Manager) note(l *link, p Priority, text string) {
	if text != l.note {
		m.Report(p, l.Name+": "+text)
		l.note = text
	}
}

// warn reports problems of .network files, each once.
func (m *Manager) warn(problems ...settings.Problem) {
	for _, p := range problems {
		if !m.warned[p] {
			m.Report(Warning, fmt.Sprintf("%s: %s", p.Origin, p.Text))
			m.warned[p] = true
		}
	}
}

// reconcile gives one link the state it is to have.
func (m *Manager) reconcile(ctx context.Context, l *link, list []network.Link) error {
	if err := l.serverError(); err != nil {
		return err
	}
	file, err := m.toConfigure(ctx, l)
	if file == nil || err != nil {
		return err
	}
	config := m.withFixed(l.Link, file.Config)
	if err := m.chooseSubnet(l, &config, list); err != nil {
		return err
	}
	if err := m.choosePrefix(l, &config, list); err != nil {
		return err
	}
	m.saveChosen() // when it could not be chosen before
	want := network.Desire(l.Link, &config, l.subnet, l.prefix)
	want.Addresses = m.fixedSides(l.Link, want.Addresses)
	m.dropIPv6(l, &config.SendRA, &want)
	if err := m.forward(want.Forwarding, list); err != nil {
		return err
	}
	if err := m.configure(l, file.Config.Link); err != nil {
		return err
	}
	difference := network.Diff(l.Link, l.unchecked(want), l.ours, m.Sysctls.Get)
	difference.Settle(want.Settings, l.settings, l.ours, l.Addresses, want.Addresses)
	difference.Up = difference.Up && !file.Config.LeaveDown
	// Noted beforehand: what is set half way is ours too.
	l.file, l.state, l.ours = file, withoutSysctls(want), union(l.ours, want.Addresses)
	if !difference.Empty() {
		if err := m.Links.Apply(l.Link, difference); err != nil {
			return err
		}
	}
	l.ours, l.settings = want.Addresses, want.Settings
	m.serveNames(ctx, l, file, union(want.Addresses, l.Addresses))
	if err := errors.Join(m.serve(l), m.advertise(l), m.route(l, want.Routes, want.NextHops)); err != nil {
		return err
	}
	if l.flap {
		l.flap = false
		m.flapping = append(m.flapping, flap{link: l.Link, after: func() {}})
	}
	m.note(l, Info, l.describe())
	settled := l.Link
	l.settled = &settled
	return nil
}

// reconcileTable puts the names of the links that are masqueraded into the nft table, and takes out all others.
func (m *Manager) reconcileTable() error {
	var want network.Firewall
	for _, l := range m.links {
		want.Add(l.Name, l.state.Masquerade)
	}
	m.guard(&want)
	want.Ports = m.portTable()
	if m.table != nil {
		if want.Equal(*m.table) {
			return nil
		}
		err := m.Firewall.Update(want.Missing(*m.table), m.table.Missing(want))
		if err == nil {
			return m.updateBridge(want)
		}
		m.Report(Warning, err.Error()+", putting the table in place again")
	}
	m.table = nil
	if err := m.Firewall.Replace(want); err != nil {
		return err
	}
	return m.updateBridge(want)
}

// describe says in one line what a link was given.
func (l *link) describe() string {
	var parts []string
	for _, a := range l.state.Addresses {
		parts = append(parts, a.String())
	}
	if l.server != nil {
		parts = append(parts, l.server.describe())
	}
	if l.file.Config.SendRA.Enabled && l.noIPv6 == "" {
		parts = append(parts, "router advertisements")
	}
	parts = append(parts, l.describeRoutes()...)
	if l.state.Masquerade != (network.Families{}) {
		parts = append(parts, "masquerading")
	}
	if l.noIPv6 != "" {
		parts = append(parts, l.noIPv6)
	}
	if len(parts) == 0 {
		return "up"
	}
	return strings.Join(parts, ", ")
}

// union returns the elements of both lists.
func union(a, b []netip.Prefix) []netip.Prefix {
	all := slices.Clone(a)
	for _, p := range b {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}
