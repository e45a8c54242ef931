package dns

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// upstream answers on a port of the loopback link with what reply makes of a query: any number of datagrams.
func upstream(t *testing.T, reply func(query []byte) [][]byte) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for buffer := make([]byte, 4096); ; {
			n, client, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, answer := range reply(buffer[:n]) {
				conn.WriteTo(answer, client)
			}
		}
	}()
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}

// answerTo writes an answer with one address.
func answerTo(query []byte, last byte, change ...func(*dnsmessage.Message)) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		panic(err)
	}
	m.Response, m.Additionals = true, nil
	if len(m.Questions) > 0 {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, last}},
		}}
	}
	for _, c := range change {
		c(&m)
	}
	packed, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

func good(last byte) func([]byte) [][]byte {
	return func(query []byte) [][]byte { return [][]byte{answerTo(query, last)} }
}

// forwards asks through a forwarder and returns the answer as told has it.
func forwards(t *testing.T, f *Forwarder) (string, error) {
	t.Helper()
	message := question("www.example.", dnsmessage.TypeA)
	q, err := ParseQuery(message)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := f.Forward(t.Context(), "udp", &q, message)
	if err != nil {
		return "", err
	}
	return told(t, answer), nil
}

func fixed(servers ...netip.AddrPort) func() []netip.AddrPort {
	return func() []netip.AddrPort { return servers }
}

func TestForward(t *testing.T) {
	refuses := func(query []byte) [][]byte {
		return [][]byte{answerTo(query, 0, func(m *dnsmessage.Message) { m.RCode, m.Answers = dnsmessage.RCodeRefused, nil })}
	}
	// Answers that are made up come first: another ID, another name, another type, a query, no message at all.
	attacked := func(query []byte) [][]byte {
		return [][]byte{
			answerTo(query, 66, func(m *dnsmessage.Message) { m.ID++ }),
			answerTo(query, 66, func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("www.evil.") }),
			answerTo(query, 66, func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAAAA }),
			answerTo(query, 66, func(m *dnsmessage.Message) { m.Response = false }),
			answerTo(query, 66, func(m *dnsmessage.Message) { m.Questions = nil }),
			{1, 2, 3},
			answerTo(query, 1, func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("WWW.Example.") }),
		}
	}
	closed := netip.MustParseAddrPort("127.0.0.1:1")
	for name, test := range map[string]struct {
		servers []netip.AddrPort
		want    string
	}{
		"answered":     {[]netip.AddrPort{upstream(t, good(1)), upstream(t, good(2))}, "Success 192.0.2.1"},
		"made up":      {[]netip.AddrPort{upstream(t, attacked)}, "Success 192.0.2.1"},
		"closed first": {[]netip.AddrPort{closed, upstream(t, good(2))}, "Success 192.0.2.2"},
		"refuses":      {[]netip.AddrPort{upstream(t, refuses), upstream(t, good(2))}, "Success 192.0.2.2"},
		"all refuse":   {[]netip.AddrPort{upstream(t, refuses), closed}, "Refused"},
	} {
		if got, err := forwards(t, NewForwarder(fixed(test.servers...), 1)); got != test.want || err != nil {
			t.Errorf("%s: %s, %v, want %s", name, got, err, test.want)
		}
	}
	_, err := forwards(t, NewForwarder(fixed(closed), 1))
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1: ") {
		t.Errorf("without a server: %v", err)
	}
	if _, err = forwards(t, NewForwarder(fixed(), 1)); err == nil {
		t.Error("no servers: no error")
	}
}

// The server that answered last is asked first.
func TestForwardRemembers(t *testing.T) {
	silent := 0
	dead := upstream(t, func([]byte) [][]byte { silent++; return nil })
	f := NewForwarder(fixed(dead, upstream(t, good(2))), 1)
	for range 3 {
		if got, err := forwards(t, f); got != "Success 192.0.2.2" {
			t.Errorf("%s, %v", got, err)
		}
	}
	if silent != 1 {
		t.Errorf("the dead server was asked %d times", silent)
	}
}

// Queries go out with IDs and from ports that cannot be guessed from those before.
func TestForwardUnpredictable(t *testing.T) {
	ids := map[uint16]bool{}
	f := NewForwarder(fixed(upstream(t, func(query []byte) [][]byte {
		ids[binary.BigEndian.Uint16(query)] = true
		return good(1)(query)
	})), 1)
	for range 20 {
		forwards(t, f)
	}
	if len(ids) < 18 {
		t.Errorf("%d IDs in 20 queries", len(ids))
	}
}

func TestForwardBounded(t *testing.T) {
	asked := make(chan bool, 10)
	f := NewForwarder(fixed(upstream(t, func([]byte) [][]byte { asked <- true; return nil })), 1)
	ctx, cancel := context.WithCancel(t.Context())
	message := question("www.example.", dnsmessage.TypeA)
	q, _ := ParseQuery(message)
	done := make(chan error)
	go func() {
		_, err := f.Forward(ctx, "udp", &q, message)
		done <- err
	}()
	<-asked
	if _, err := f.Forward(ctx, "udp", &q, message); err != ErrBusy {
		t.Errorf("second query: %v", err)
	}
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("first query: %v", err)
	}
}

// serveTest runs a server on the loopback link and returns its address.
func serveTest(t *testing.T, s *Server) string {
	t.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: udp.LocalAddr().(*net.UDPAddr).Port})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for buffer := make([]byte, maxUDPSize); ; {
			n, client, err := udp.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			s.Datagram(buffer[:n], client, func(reply []byte, client netip.AddrPort) { udp.WriteToUDPAddrPort(reply, client) })
		}
	}()
	go func() {
		for {
			conn, err := tcp.AcceptTCP()
			if err != nil {
				return
			}
			s.Connection(conn, conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
		}
	}()
	t.Cleanup(func() {
		udp.Close()
		tcp.Close()
		s.Close()
	})
	return udp.LocalAddr().String()
}

// exchange sends a query and returns what came back, nil within a second.
func exchange(t *testing.T, network, address string, messages ...[]byte) (replies []string) {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	for _, message := range messages {
		if network == "tcp" {
			message = append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
		}
		conn.Write(message)
	}
	for range messages {
		reply := make([]byte, 4096)
		if network == "tcp" {
			reply, err = readTCP(conn)
		} else if n := 0; true {
			n, err = conn.Read(reply)
			reply = reply[:n]
		}
		if err != nil {
			t.Fatal(err)
		}
		replies = append(replies, told(t, reply))
	}
	return replies
}

func TestServe(t *testing.T) {
	z := testZone()
	z.Clients = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	big := func(query []byte) [][]byte {
		return [][]byte{answerTo(query, 1, func(m *dnsmessage.Message) {
			for range 60 {
				m.Answers = append(m.Answers, m.Answers[0])
			}
		})}
	}
	var problems []error
	address := serveTest(t, &Server{
		Zone: func(netip.Addr) *Zone { return z }, Forwarder: NewForwarder(fixed(upstream(t, big)), 8), Report: func(err error) { problems = append(problems, err) },
	})
	web, far := question("web.", dnsmessage.TypeA), question("www.example.", dnsmessage.TypeA)
	if got := exchange(t, "udp", address, web); got[0] != "Success 10.0.0.5" {
		t.Errorf("UDP: %s", got)
	}
	if got := exchange(t, "udp", address, far); got[0] != "Success truncated" {
		t.Errorf("forwarded: %s", got)
	}
	if got := exchange(t, "udp", address, question("www.example.", dnsmessage.TypeA, withEDNS(4096, 0))); strings.Count(got[0], "192.0.2.1") != 61 {
		t.Errorf("forwarded with EDNS: %s", got)
	}
	if got := exchange(t, "tcp", address, web, web); strings.Join(got, ", ") != "Success 10.0.0.5, Success 10.0.0.5" {
		t.Errorf("TCP: %s", got)
	}
	// Nobody listens where the host would ask over TCP.
	if got := exchange(t, "tcp", address, far); got[0] != "ServerFailure" || len(problems) != 1 {
		t.Errorf("forwarded over TCP: %s, said %v", got, problems)
	}
}

// A zone for clients that have others to ask, such as the host itself.
func TestServeClosed(t *testing.T) {
	z := testZone()
	z.Closed = true
	z.Clients = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	address := serveTest(t, &Server{Zone: func(netip.Addr) *Zone { return z }, Report: func(err error) { t.Error(err) }})
	if got := exchange(t, "udp", address, question("www.example.", dnsmessage.TypeA)); got[0] != "Refused" {
		t.Errorf("UDP: %s", got)
	}
}

// What is under way ends with the server, and nothing begins any more; as many as there may be are under way, others are told.
func TestServerBounds(t *testing.T) {
	z := testZone()
	z.Clients = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	client := netip.MustParseAddrPort("192.0.2.7:1000")
	far := question("www.example.", dnsmessage.TypeA)
	asked := make(chan bool, 2*maxForwarded)
	silent := upstream(t, func([]byte) [][]byte { asked <- true; return nil })
	s := &Server{
		Zone: func(netip.Addr) *Zone { return z }, Forwarder: NewForwarder(fixed(silent), 2*maxForwarded), Report: func(err error) { t.Error(err) },
	}
	var replies []string
	send := func(reply []byte, _ netip.AddrPort) { replies = append(replies, told(t, reply)) }
	for range maxForwarded {
		s.Datagram(far, client, send)
	}
	for range maxForwarded {
		<-asked
	}
	s.Datagram(far, client, send)
	if len(replies) != 1 || replies[0] != "ServerFailure" {
		t.Errorf("one too many: %q", replies)
	}
	s.Datagram(question("web.", dnsmessage.TypeA), client, send)
	if len(replies) != 2 || replies[1] != "Success 10.0.0.5" {
		t.Errorf("what is known: %q", replies)
	}
	inside, outside := net.Pipe()
	s.Connection(inside, client.Addr())
	s.Close()
	if _, err := outside.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
	s.Datagram(far, client, send)
	if len(replies) != 3 || replies[2] != "ServerFailure" {
		t.Errorf("after the end: %q", replies[2:])
	}
}
