package manager

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"nspawnkit/dhcp"
	"nspawnkit/network"
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
	config := serverConfig(l.Link, address, c, m.Host())
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

// serverConfig says what the DHCP server at address is to do by a .network file; host fills in what the file leaves open.
func serverConfig(l network.Link, address netip.Prefix, c *network.Config, host network.Host) dhcp.Config {
	s := &c.Server
	config := dhcp.Config{
		Link:             l.Name,
		ServerAddress:    address,
		PoolOffset:       s.PoolOffset,
		PoolSize:         s.PoolSize,
		DefaultLeaseTime: min(s.DefaultLease, s.MaxLease),
		MaxLeaseTime:     s.MaxLease,
		RapidCommit:      s.RapidCommit,
	}
	if strings.HasPrefix(l.Name, network.VethPrefix) && s.PoolSize == 0 {
		// One machine is at the other end: it keeps its address whatever it calls itself, and cannot use up the pool. Who
		// has more machines behind the link says how many, with PoolSize=.
		config.MaxLeases = 1
	}
	if s.EmitRouter {
		config.Router = s.Router
		if !s.Router.IsValid() {
			config.Router = address.Addr()
		}
	}
	if s.EmitDNS {
		config.DNS = s.DNS
		if s.DNSServerSelf {
			config.DNS = append([]netip.Addr{address.Addr()}, s.DNS...)
		}
		if len(config.DNS) == 0 {
			config.DNS = host.DNS
		}
	}
	if s.EmitTimezone {
		config.Timezone = s.Timezone
		if s.Timezone == "" {
			config.Timezone = host.Timezone
		}
	}
	return config
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
