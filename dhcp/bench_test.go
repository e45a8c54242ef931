package dhcp

import (
	"net/netip"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// BenchmarkReply is a DISCOVER and a REQUEST of returning clients, without disk and sockets.
func BenchmarkReply(b *testing.B) {
	for name, clients := range map[string]int{"200": 200, "60000": 60_000} {
		b.Run(name, func(b *testing.B) {
			server := newServer(b, wide())
			for n := range clients {
				obtain(b, server, start(), mac(n))
			}
			b.ResetTimer()
			for n := 0; b.Loop(); n++ {
				obtain(b, server, start(), mac(n%clients))
			}
			reportMemory(b)
			runtime.KeepAlive(server)
		})
	}
}

// reportMemory adds what the heap holds at the end.
func reportMemory(b *testing.B) {
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "MiB-heap")
}

// BenchmarkServe is an exchange with codec and a journal on disk, 32 clients waiting for their replies at a time. The journal lies in
// $TMPDIR: on a tmpfs it measures no disk.
func BenchmarkServe(b *testing.B) {
	for name, clients := range map[string]int{"200": 200, "60000": 60_000} {
		b.Run(name, func(b *testing.B) { benchmarkServe(b, clients) })
	}
}

func benchmarkServe(b *testing.B, clients int) {
	config := wide()
	config.ServerAddress = netip.MustParsePrefix("10.0.0.1/16")
	store := File(filepath.Join(b.TempDir(), "leases"))
	journal, server, _ := open(b, store, config)
	conn := newWire()
	stop := conn.respond(conn, server, journal, func(problem error) { b.Error(problem) })

	const waiting = 32
	next := 0
	begin := func() {
		conn.requests <- ask(dhcpv4.MessageTypeDiscover, mac(next%clients)).ToBytes()
		next++
	}
	for range waiting {
		begin()
	}
	for b.Loop() {
		offer := <-conn.replies
		for ; offer.MessageType() == dhcpv4.MessageTypeOffer; offer = <-conn.replies {
			conn.requests <- ask(dhcpv4.MessageTypeRequest, HardwareAddr(offer.ClientHWAddr),
				wants(offer.YourIPAddr.String()), selects("10.0.0.1")).ToBytes()
		}
		begin()
	}
	reportMemory(b)
	b.ReportMetric(float64(server.count()), "leases")
	stop()
}
