package lldp

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// frame is one of parts, which are TLVs.
func frame(parts ...[]byte) []byte {
	b := append(NearestBridge[:], 2, 0, 0, 0, 0, 5, 0x88, 0xcc)
	for _, part := range parts {
		b = append(b, part...)
	}
	return b
}

func tlv(kind uint16, value string) []byte { return appendTLV(nil, kind, []byte(value)) }

func TestParse(t *testing.T) {
	chassis, port, ttl, finish := tlv(1, "\x07ab"), tlv(2, "\x05eth0"), tlv(3, "\x00\x78"), tlv(0, "")
	for _, test := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"least", frame(chassis, port, ttl, finish), "ab eth0 - - - .......a... 2m0s"},
		{"filled up", frame(chassis, port, ttl, finish, make([]byte, 30)), "ab eth0 - - - .......a... 2m0s"},
		{"all", frame(tlv(1, "\x04\x02\x00\x00\x00\x00\x01"), tlv(2, "\x04\x01\x0a\x00\x00\x01"), ttl, tlv(4, "p"), tlv(5, "s\x1b[2J\\\u202e\xff"), tlv(6, "d"),
			tlv(7, "\x00\x14\x00\x10"), tlv(127, "\x00\x00\x5e\x01"), tlv(9, "later"), finish), `02:00:00:00:00:01 10.0.0.1 p s\x1b[2J\\\xe2\x80\xae\xff d ....r...... 2m0s`},
		{"other IDs", frame(tlv(1, "\x04\x02\x00"), tlv(2, "\x06\x01\x02"), ttl, tlv(7, "\x00\x10"), finish), "0200 0102 - - - .......a... 2m0s"},
		{"an IPv6 address", frame(tlv(1, "\x05\x02"+strings.Repeat("\x00", 15)+"\x01"), port, ttl, finish), "::1 eth0 - - - .......a... 2m0s"},
		{"no end", frame(chassis, port, ttl), ""},
		{"no time", frame(chassis, port, finish), ""},
		{"no port", frame(chassis, ttl, finish), ""},
		{"two chassis", frame(chassis, chassis, port, ttl, finish), ""},
		{"two times", frame(chassis, port, ttl, ttl, finish), ""},
		{"an empty ID", frame(tlv(1, "\x07"), port, ttl, finish), ""},
		{"a long time", frame(chassis, port, tlv(3, "\x00\x00\x78"), finish), ""},
		{"cut", frame(chassis, port, ttl, tlv(5, "name")[:4]), ""},
		{"half a header", frame(chassis, port, ttl, []byte{0}), ""},
		{"another group", append([]byte{3}, frame(chassis, port, ttl, finish)[1:]...), ""},
		{"short", frame()[:13], ""},
	} {
		m, err := parse(test.frame)
		said := func(s string) string { return map[bool]string{true: "-", false: s}[s == ""] }
		got := ""
		if err == nil {
			got = fmt.Sprint(m.ChassisID, " ", m.PortID, " ", said(m.PortDescription), " ", said(m.SystemName), " ", said(m.SystemDescription), " ", m.Capabilities, " ", m.lifetime)
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// Whatever comes, nothing breaks, and what is taken can be shown.
func FuzzParse(f *testing.F) {
	f.Add(frame(tlv(1, "\x07ab"), tlv(2, "\x05eth0"), tlv(3, "\x00\x78"), tlv(0, "")))
	f.Add(Frame(Station{"0123", "host", "The Host", true}, Port{NearestBridge, [6]byte{2}, "ve-web", "of web", "https://example.com/"}))
	f.Add(frame(tlv(1, "\x05\x02"), tlv(2, "\x04\x01"), tlv(3, "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parse(data)
		if err != nil {
			return
		}
		if m.chassis == "" || m.port == "" || strings.ContainsAny(m.ChassisID+m.PortID+m.SystemName+m.SystemDescription+m.PortDescription, "\n\x00\x1b\x7f") {
			t.Errorf("%+v", m)
		}
	})
}

// Neighbours come, change, and go when their time ends; each change is saved once.
func TestNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saved []string
		n := NewNeighbours(func(list []Neighbour) {
			text := ""
			for _, one := range list {
				text += fmt.Sprintf("%s %s;", one.Link, one.ChassisID)
			}
			saved = append(saved, text)
		})
		ctx, stop := context.WithCancel(t.Context())
		go n.Run(ctx)
		expect := func(d time.Duration, want ...string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if fmt.Sprintf("%q", saved) != fmt.Sprintf("%q", want) {
				t.Errorf("saved %q, want %q", saved, want)
			}
			saved = nil
		}
		send := func(link int, name string, seconds uint16, more ...[]byte) {
			b := frame(tlv(1, "\x07"+name), tlv(2, "\x05eth0"), tlv(3, string(binary.BigEndian.AppendUint16(nil, seconds))))
			for _, part := range more {
				b = append(b, part...)
			}
			n.Receive(link, append(b, 0, 0))
		}
		router := tlv(7, "\x00\x10\x00\x10")
		expect(time.Hour, "")
		n.Listen(map[int]Listener{3: {Name: "ve-a"}, 4: {Name: "ve-b", RoutersOnly: true}, 5: {Name: "ve-c", Source: [6]byte{2, 0, 0, 0, 0, 5}}})
		send(3, "a", 60)
		send(4, "station", 60)
		send(4, "router", 100, router)
		send(5, "self", 60)
		send(6, "elsewhere", 60)
		expect(30*time.Second, "ve-a a;ve-b router;")
		send(3, "a", 60)
		expect(40 * time.Second)
		expect(time.Minute, "ve-b router;", "")
		send(4, "router", 100, router)
		expect(5*time.Second, "ve-b router;")
		send(4, "router", 0, router)
		expect(5*time.Second, "")
		send(3, "a", 60)
		expect(5*time.Second, "ve-a a;")
		n.Listen(nil)
		expect(5*time.Second, "")
		stop()
		synctest.Wait()
	})
}

// Whoever invents neighbours loses its own.
func TestNeighboursBound(t *testing.T) {
	n := NewNeighbours(nil)
	links := map[int]Listener{}
	for link := range 40 {
		links[link] = Listener{Name: fmt.Sprint(link)}
	}
	n.Listen(links)
	send := func(link, i int) {
		n.Receive(link, frame(tlv(1, fmt.Sprintf("\x07%d", i)), tlv(2, "\x05eth0"), tlv(3, "\x00\x78"), tlv(0, "")))
	}
	send(0, 0)
	for link := 1; link < 39; link++ {
		for i := range 3 * maxLinkNeighbours {
			send(link, i)
		}
	}
	send(39, 0)
	list, _, _ := n.look(time.Now())
	if len(list) != maxNeighbours || n.total != maxNeighbours || len(n.links[0].stations) != 1 || len(n.links[39].stations) != 1 || len(n.links[5].stations) > maxLinkNeighbours {
		t.Errorf("%d neighbours, %d counted", len(list), n.total)
	}
}
