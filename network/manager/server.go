package manager

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"

	"nspawnkit/network"
)

// server is the DHCP server of a link.
type server struct {
	address netip.Prefix
	config  network.DHCPServer
	stop    context.CancelFunc
	done    chan struct{} // closed at the end
	err     error         // why it ended; valid when done is closed
}

// serve starts the DHCP server of a link, restarts it with another configuration, or stops it, as the link's state says.
func (m *Manager) serve(ctx context.Context, l *link) error {
	config := &l.file.Config
	if !config.DHCPServer {
		l.stopServer()
		return nil
	}
	address, ok := config.Server.Address(l.state.Addresses)
	if !ok {
		l.stopServer()
		return errors.New("DHCPServer=yes needs an IPv4 Address=")
	}
	if l.server != nil && l.server.address == address && reflect.DeepEqual(l.server.config, config.Server) {
		return nil
	}
	l.stopServer()
	ctx, stop := context.WithCancel(ctx)
	s := &server{address: address, config: config.Server, stop: stop, done: make(chan struct{})}
	l.server = s
	go func(l network.Link) {
		s.err = m.DHCP.Serve(ctx, l, s.address, s.config)
		close(s.done)
		select {
		case m.ended <- struct{}{}:
		default: // a look is due already
		}
	}(l.Link)
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
