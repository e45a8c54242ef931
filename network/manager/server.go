package manager

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"nspawnkit/dhcp"
)

// server is the DHCP server of a link.
type server struct {
	config  dhcp.Config
	persist string
	since   time.Time // when it started
	stop    context.CancelFunc
	done    chan struct{} // closed at the end
	err     error         // why it ended; valid when done is closed
	Server
}

// serve starts the DHCP server of a link, restarts it with another configuration, or stops it, as the link's state says.
func (m *Manager) serve(ctx context.Context, l *link) error {
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
	addFixed(&config, l.Name, m.machines)
	if l.Kind == "bridge" {
		l.containers.Set(containersOf(l.Name, m.machines))
		config.Containers = &l.containers // the same one again: the server need not start anew for a container
	}
	if l.server != nil && l.server.persist == c.Server.PersistLeases && reflect.DeepEqual(l.server.config, config) {
		return nil
	}
	l.stopServer()
	opened, err := m.DHCP.Open(l.Link, config, c.Server.PersistLeases)
	if err != nil {
		return fmt.Errorf("DHCP server: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	s := &server{config: config, persist: c.Server.PersistLeases, since: m.Now(), stop: stop, done: make(chan struct{}), Server: opened}
	l.server = s
	go func() {
		s.err = opened.Serve(ctx)
		close(s.done)
		select {
		case m.ended <- struct{}{}:
		default: // a look is due already
		}
	}()
	return nil
}

// serverError returns why the DHCP server has ended by itself, once.
func (l *link) serverError() error {
	if l.server == nil {
		return nil
	}
	select {
	case <-l.server.done:
		err := l.server.err
		l.stopServer()
		return fmt.Errorf("DHCP server: %w", err)
	default:
		return nil
	}
}

// stopServer ends the DHCP server and waits until its lease journal is closed: the next link of the same name reads it.
func (l *link) stopServer() {
	if l.server != nil {
		l.server.stop()
		<-l.server.done
		l.server = nil
	}
}

// stopServers ends all DHCP servers.
func (m *Manager) stopServers() {
	for _, l := range m.links {
		l.stopServer()
	}
}
