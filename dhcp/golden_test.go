package dhcp

import (
	"encoding/hex"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

var updateGolden = flag.Bool("update", false, "write the golden files anew")

// The replies with all options, byte for byte.
func TestGoldenReplies(t *testing.T) {
	config := vethConfig()
	address := func(s string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(s)} }
	config.DNS = append(config.DNS, address("192.0.2.53")...)
	config.NTP, config.SIP, config.POP3 = address("192.0.2.123"), address("192.0.2.60"), address("192.0.2.110")
	config.SMTP, config.LPR = address("192.0.2.25"), address("192.0.2.15")
	config.Domain, config.Timezone = "example.com", "Europe/Berlin"
	config.SendOption = dhcpv4.Options{26: {0x05, 0x78}}
	relayed := []dhcpv4.Modifier{dhcpv4.WithRelay([]byte{10, 0, 0, 14}), dhcpv4.WithGeneric(dhcpv4.OptionRelayAgentInformation, []byte{1, 2, 'e', '0'})}
	server := newServer(t, config)
	for _, test := range []struct {
		name    string
		request *dhcpv4.DHCPv4
	}{
		{"offer", ask(dhcpv4.MessageTypeDiscover, mac(1), calls("\xff1234"))},
		{"ack", ask(dhcpv4.MessageTypeRequest, mac(1), selects("10.0.0.1"), wants("10.0.0.5"))},
		{"renew", ask(dhcpv4.MessageTypeRequest, mac(1), from("10.0.0.5"))},
		{"nak", ask(dhcpv4.MessageTypeRequest, mac(1), wants("192.0.2.1"))},
		{"inform", ask(dhcpv4.MessageTypeInform, mac(3), from("10.0.0.7"))},
		{"relayed", ask(dhcpv4.MessageTypeDiscover, mac(1), relayed...)},
	} {
		reply, _ := server.Reply(test.request, start())
		got := hex.Dump(reply.ToBytes())
		path := filepath.Join("testdata", test.name+".golden")
		if *updateGolden {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n%swant\n%s", test.name, got, want)
		}
	}
}
