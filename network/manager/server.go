package manager

import (
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"nspawnkit/dhcp"
)

// server is the DHCP server of a link.
type server struct {
	config  dhcp.Config
	persist string
	since   time.Time // when it started
	failure
	Server
}

// failure is why a server gave up by itself. It takes no goroutine to wait for it.
type failure struct {
	err   *atomic.Pointer[error]
	ended chan<- struct{}
}

func (m *Manager) newFailure() failure { return failure{new(atomic.Pointer[error]), m.ended} }

// report takes the reason and has the manager look. It may be called from any goroutine; only the first reason counts.
func (f failure) report(err error) {
	f.err.CompareAndSwap(nil, &err)
	select {
	case f.ended <- struct{}{}:
	default: // a look is due already
	}
}

// take returns the reason, once.
func (f failure) take() error {
	if err := f.err.Swap(nil); err != nil {
		return *err
	}
	return nil
}

// serve starts the DHCP server of a link, restarts it with another configuration, or stops it, as the link's state says.
func (m *Manager) serve(l *link) error {
	c := &l.file.Config
	if !c.DHCPServer {
		l.stopServer()
		return nil
	}
	address, ok := c.Server.Address(l.state.Addresses)
	if !ok {
		l.stopServer()
		return errors.New("DHCPServer=yes needs an IPv4 Address=")
	}
	config, problems := serverConfig(l.Link, address, &c.Server, m.hostNow())
	m.warn(problems...)
	l.offerNames(&config, &c.Server)
	addFixed(&config, l.Name, m.machines)
	if l.Kind == "bridge" {
		l.containers.Set(containersOf(l.Name, m.machines))
		config.Containers = &l.containers // the same one again: the server need not start anew for a container
	}
	if l.server != nil && l.server.persist == c.Server.PersistLeases && reflect.DeepEqual(l.server.config, config) {
		return nil
	}
	l.stopServer()
	failure := m.newFailure()
	opened, err := m.DHCP.Open(l.Link, config, c.Server.PersistLeases, failure.report)
	if err != nil {
		return fmt.Errorf("DHCP server: %w", err)
	}
	l.server = &server{config: config, persist: c.Server.PersistLeases, since: m.Now(), failure: failure, Server: opened}
	return nil
}

// describe says in a word or two what it is.
func (s *server) describe() string {
	if s.config.RelayTarget.IsValid() {
		return "DHCP relay"
	}
	return "DHCP server"
}

// serverError returns why the DHCP server has given up, once.
func (l *link) serverError() error {
	if l.server == nil {
		return nil
	}
	err := l.server.take()
	if err != nil {
		l.stopServer()
		err = fmt.Errorf("DHCP server: %w", err)
	}
	return err
}

// stopServer ends the DHCP server: the next link of the same name reads its lease journal.
func (l *link) stopServer() {
	if l.server != nil {
		l.server.Close()
		l.server = nil
	}
}

// stopServers ends all DHCP and DNS servers, and router advertisements.
func (m *Manager) stopServers() {
	for _, l := range m.links {
		l.stopServer()
		l.stopNames()
		l.stopRouter(nil)
	}
}
