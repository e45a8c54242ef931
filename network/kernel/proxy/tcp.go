package proxy

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// stream is a listener of TCP.
type stream struct {
	sessions
	socket *net.TCPListener
}

func (p *Proxy) listenTCP(which network.Listener) (listener, error) {
	socket, err := net.ListenTCP("tcp", &net.TCPAddr{IP: which.Address().AsSlice()})
	if err != nil {
		return nil, err
	}
	s := &stream{sessions{proxy: p, protocol: which.Protocol, list: map[*session]struct{}{}}, socket}
	go s.accept()
	return s, nil
}

func (s *stream) port() uint16 { return s.socket.Addr().(*net.TCPAddr).AddrPort().Port() }

// Close ends the connections, too.
func (s *stream) Close() error {
	s.endAll()
	return s.socket.Close()
}

func (s *stream) accept() {
	for {
		client, err := s.socket.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond) // no descriptors or no memory are left
			continue
		}
		go s.serve(client)
	}
}

// serve makes the connection of a client to a container. Where nobody answers the client is refused, too.
func (s *stream) serve(client *net.TCPConn) {
	defer client.Close()
	client.SetLinger(0)
	listener, from := client.LocalAddr().(*net.TCPAddr).AddrPort(), client.RemoteAddr().(*net.TCPAddr).AddrPort()
	at, err := originalDestination(unix.IPPROTO_TCP, listener, from)
	if err != nil {
		return
	}
	container, to := dial(s.proxy.find(s.protocol, at))
	if container == nil {
		return
	}
	defer container.Close()
	one := &session{at, to, func() { client.Close(); container.Close() }}
	if !s.add(one) {
		return
	}
	defer s.remove(one)
	client.SetLinger(-1)
	var both sync.WaitGroup
	both.Go(func() { relay(container, client) })
	both.Go(func() { relay(client, container) })
	both.Wait()
}

// dial connects to the first address where somebody answers; nil where nobody does.
func dial(addresses []netip.AddrPort) (conn *net.TCPConn, to netip.AddrPort) {
	dialer := net.Dialer{Timeout: dialTimeout}
	for _, to := range addresses {
		if conn, err := dialer.Dial("tcp", to.String()); err == nil {
			return conn.(*net.TCPConn), to
		}
	}
	return nil, to
}

// relay copies what comes from one side to the other. When one says that it has said all, the other one may still talk.
func relay(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}
