package dhcp

import (
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// FuzzReply gives raw bytes to a server with leases, twice: nothing crashes it, what it answers can be read and goes to the link only,
// and its table stays whole.
func FuzzReply(f *testing.F) {
	for _, request := range []*dhcpv4.DHCPv4{
		ask(dhcpv4.MessageTypeDiscover, mac(1)),
		ask(dhcpv4.MessageTypeDiscover, mac(7), calls("\xff1234"), dhcpv4.WithOption(dhcpv4.OptHostName("web"))),
		ask(dhcpv4.MessageTypeRequest, mac(1), selects("10.0.0.1"), wants("10.0.0.5")),
		ask(dhcpv4.MessageTypeRequest, mac(1), wants("10.0.0.5")),
		ask(dhcpv4.MessageTypeRequest, mac(1), from("10.0.0.5")),
		ask(dhcpv4.MessageTypeDecline, mac(1), wants("10.0.0.5")),
		ask(dhcpv4.MessageTypeRelease, mac(1), from("10.0.0.5")),
		ask(dhcpv4.MessageTypeInform, mac(1), from("10.0.0.9")),
		ask(dhcpv4.MessageTypeDiscover, mac(1), dhcpv4.WithRelay([]byte{10, 0, 0, 9})),
	} {
		f.Add(request.ToBytes())
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		config := vethConfig()
		config.RapidCommit = true
		server := newServer(t, config)
		obtain(t, server, start(), mac(1), wants("10.0.0.5"))
		for round := range 2 {
			request, err := dhcpv4.FromBytes(packet)
			if err != nil {
				return
			}
			reply, _ := server.Reply(request, start().Add(time.Duration(round)*time.Minute))
			checkTable(t, server.leases)
			if reply == nil {
				continue
			}
			if _, err := dhcpv4.FromBytes(reply.ToBytes()); err != nil {
				t.Errorf("unreadable reply: %v", err)
			}
			to := ReplyTo(reply).Address.Addr()
			if !config.ServerAddress.Contains(to) && to.String() != "255.255.255.255" {
				t.Errorf("reply to %v", to)
			}
		}
	})
}
