package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
	"nspawnkit/network/kernel/dnssocket"
	"nspawnkit/network/kernel/icmp6"
	"nspawnkit/network/kernel/lldpsocket"
	"nspawnkit/network/kernel/poll"
	"nspawnkit/network/kernel/proxy"
	"nspawnkit/network/manager"
	"nspawnkit/network/networkd"
	"nspawnkit/settings"
)

// serve looks after the links until it gets SIGTERM. SIGHUP reads the .network files again.
func serve(p paths, log *logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	root := os.DirFS(p.root)
	reload := make(chan struct{}, 1)
	foreign := newForeignFilters(root, log.report)
	onHangup(func() { foreign.load(); poke(reload) })
	unlock, err := kernel.Lock(p.lock())
	if errors.Is(err, kernel.ErrLocked) {
		return errors.New("already running")
	} else if err != nil {
		return err
	}
	defer unlock()
	open, err := openSockets()
	if err != nil {
		return err
	}
	defer open.close()
	memory := limitMemory(func(err error) { log.report(manager.Warning, err.Error()) })
	owner := &networkd.Owner{Root: root, Booted: kernel.Booted, Watcher: func(ctx context.Context, ready, changed func()) error {
		return kernel.WatchDirectory(ctx, filepath.Join(p.root, networkd.LinksDirectory), ready, changed)
	}}
	leases := &leaseTable{foreign: owner.Leases}
	servers, err := openDHCP(p, open.poller, leases, log.report)
	if err != nil {
		return err
	}

	changes := make(chan struct{}, 1)
	servers.watch = &leaseWatch{leases: leases, changed: func() { poke(changes) }}
	servers.served = memory.served
	names := newDNSServers(root, open.dns, leases, log.report)
	defer names.host.follow(ctx, busConnector(ctx))()
	m := &manager.Manager{
		Links: open.links, Devices: open.links, Routes: open.links, NextHops: open.links, Firewall: open.firewall, Sysctls: sysctls{}, Owner: owner,
		DHCP: servers, DNS: names,
		Router: routers{icmp6.New(open.poller)}.open, Routes6: open.links.Routes6, Random: rand.Reader,
		State: directory(p.state), Runtime: directory(p.runtime),
		Files:    func() (network.Files, []settings.Problem) { return network.ReadFiles(root, network.SearchPath()) },
		Host:     func() network.Host { return network.ReadHost(root) },
		Machines: (&network.MachineFiles{Root: root}).Read,
		Requests: renumberRequests(p.requests()).take,
		Serves:   func(any bool) { foreign.serves(any); memory.changed() },
		Report:   log.report, Now: time.Now,
		Lease: servers.watch.lease, Neighbours: open.links.Neighbours, ForgetFlows: kernel.ForgetFlows,
		Resolve: names.host.resolve,
		Proxy:   proxy.New(func(err error) { log.report(manager.Warning, err.Error()) }),
	}
	if err := startLLDP(ctx, m, root, open.lldp); err != nil {
		return err
	}
	servers.watch.declined = func() { m.Declined(); poke(changes) }
	m.Start()
	go watchDirectory(ctx, filepath.Join(p.root, network.MachinesDirectory), func() { poke(changes) })
	go watchRoutes(ctx, log, func() { m.RoutesChanged(); poke(changes) })
	go watchDirectory(ctx, p.requests(), func() { poke(changes) })
	foreign.start(ctx)
	return errors.Join(watchAndRun(ctx, m, owner, changes, reload), leave(stop, open, foreign))
}

// sockets are those that serve all links together.
type sockets struct {
	links    *kernel.Links
	firewall *kernel.Firewall
	poller   *poll.Poller
	dns      *dnssocket.Sockets
	lldp     *lldpsocket.Socket
}

// openSockets opens them. After an error the program ends, and they with it.
func openSockets() (s sockets, err error) {
	if s.links, err = kernel.OpenLinks(); err != nil {
		return s, err
	}
	if s.firewall, err = kernel.NewFirewall(); err != nil {
		return s, err
	}
	if s.poller, err = poll.New(); err != nil {
		return s, err
	}
	if s.lldp, err = lldpsocket.Open(s.poller); err != nil {
		return s, err
	}
	s.dns, err = dnssocket.Open(s.poller)
	return s, err
}

func (s sockets) close() {
	s.dns.Close()
	s.lldp.Close()
	s.poller.Close()
	s.links.Close()
}

// onHangup calls do whenever the process gets SIGHUP.
func onHangup(do func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		for range hangup {
			do()
		}
	}()
}

// How long the bus has to tell whether systemd-networkd runs: before the service manager is told that the daemon is ready, since a bus that
// hangs must not keep a boot waiting, and before systemd-networkd is taken for not running, and links are served.
const (
	busPatience = 200 * time.Millisecond
	busTimeout  = 5 * time.Second
)

// watchAndRun runs the manager once everything that may change is watched. The service manager is told at once where nothing is to be
// served yet: containers may start while the bus is asked and the kernel loads its modules.
func watchAndRun(ctx context.Context, m *manager.Manager, owner *networkd.Owner, changes, reload chan struct{}) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	changed := func() { poke(changes) }
	links, bus := make(chan struct{}), make(chan struct{})
	go func() {
		if err := kernel.Watch(ctx, func() { close(links) }, changed); err != nil {
			cancel(err)
		}
	}()
	go func() {
		err := kernel.WatchNeighbours(ctx, func() {
			if m.Publishes() {
				changed()
			}
		})
		if err != nil {
			cancel(err)
		}
	}()
	go owner.Watch(ctx, busConnector(ctx), func() { close(bus) }, changed)
	within(ctx, busTimeout, links)
	tell, interval := newNotifier()
	if m.Idle() || !within(ctx, busPatience, bus) {
		tell()
	}
	within(ctx, busTimeout, bus) // a bus that hangs must not keep containers from their network
	m.Run(ctx, changes, reload, interval, tell)
	daemon.SdNotify(false, daemon.SdNotifyStopping)
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// within waits for an event, but not longer than that, and reports whether it came.
func within(ctx context.Context, longest time.Duration, event <-chan struct{}) bool {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-event:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// newNotifier returns what tells the service manager that the daemon is ready and alive (sd_notify(3)), and the longest interval in which
// that has to be called.
func newNotifier() (tell func(), interval time.Duration) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		interval = 24 * time.Hour
	}
	message := daemon.SdNotifyReady
	var told time.Time
	return func() {
		if message == "" && time.Since(told) < interval/4 {
			return // a manager that is busy with hundreds of containers has enough to read
		}
		daemon.SdNotify(false, message+"\n"+daemon.SdNotifyWatchdog)
		message, told = "", time.Now()
	}, interval / 2
}

// watchDirectory calls changed when files of a directory have changed, until ctx ends. Whoever comes first makes the directory.
func watchDirectory(ctx context.Context, directory string, changed func()) {
	for ctx.Err() == nil {
		if err := os.MkdirAll(directory, 0o755); err == nil {
			kernel.WatchDirectory(ctx, directory, changed, changed) // what came before it watched is seen, too
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second): // the directory has gone
		}
	}
}

// watchRoutes calls changed when routes have changed, until ctx ends. Without it only new overlaps of subnets stay unnoticed.
func watchRoutes(ctx context.Context, log *logger, changed func()) {
	if err := kernel.WatchRoutes(ctx, changed); err != nil {
		log.report(manager.Warning, err.Error())
	}
}

// poke says that there is something to look at; once is enough.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sysctls are those of the kernel.
type sysctls struct{}

func (sysctls) Get(path string) (string, error) { return kernel.GetSysctl(path) }
func (sysctls) Set(path, value string) error    { return kernel.SetSysctl(path, value) }

// directory is a [manager.Store] of files in a folder.
type directory string

func (d directory) Load(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(string(d), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (d directory) Save(name string, data []byte) error {
	return kernel.ReplaceFile(filepath.Join(string(d), name), data)
}
