package dhcp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Destination says where a reply goes (RFC 2131, section 4.1).
type Destination struct {
	// Address and port. 255.255.255.255 is a broadcast on the link.
	Address netip.AddrPort
	// Hardware is where to send the frame when the client cannot answer ARP yet, since it does not have Address yet; zero: let the
	// kernel find it.
	Hardware HardwareAddr
}

const (
	serverPort = 67
	clientPort = 68
)

// ReplyTo says where reply goes, by the table of RFC 2131, section 4.1.
func ReplyTo(reply *dhcpv4.DHCPv4) Destination {
	broadcast := Destination{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), clientPort)}
	if relay := given(reply.GatewayIPAddr); relay.IsValid() {
		return Destination{Address: netip.AddrPortFrom(relay, serverPort)}
	}
	if reply.MessageType() == dhcpv4.MessageTypeNak {
		return broadcast
	}
	if client := given(reply.ClientIPAddr); client.IsValid() {
		return Destination{Address: netip.AddrPortFrom(client, clientPort)}
	}
	if address := given(reply.YourIPAddr); address.IsValid() && !reply.IsBroadcast() && len(reply.ClientHWAddr) == 6 {
		return Destination{Address: netip.AddrPortFrom(address, clientPort), Hardware: HardwareAddr(reply.ClientHWAddr)}
	}
	return broadcast
}

// message starts the reply to the request: table 3 of RFC 2131, section 4.3.1.
func (e *exchange) message(kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	r := e.request
	reply := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: r.HWType, ClientHWAddr: r.ClientHWAddr,
		TransactionID: r.TransactionID, Flags: r.Flags,
		ClientIPAddr: net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: r.GatewayIPAddr,
		Options: make(dhcpv4.Options, 8+len(e.server.options)),
	}
	reply.Options[dhcpv4.OptionDHCPMessageType.Code()] = []byte{byte(kind)}
	reply.Options[dhcpv4.OptionServerIdentifier.Code()] = e.server.Address().AsSlice()
	// RFC 6842, section 3, and RFC 3046, section 2.2: both go back as they came.
	for _, echo := range []dhcpv4.OptionCode{dhcpv4.OptionClientIdentifier, dhcpv4.OptionRelayAgentInformation} {
		if value, ok := r.Options[echo.Code()]; ok {
			reply.Options[echo.Code()] = value
		}
	}
	return reply
}

// configured is a DHCPOFFER or DHCPACK. Without an address it answers DHCPINFORM, with neither yiaddr nor lease time.
func (e *exchange) configured(kind dhcpv4.MessageType, address netip.Addr) *dhcpv4.DHCPv4 {
	reply := e.message(kind)
	for _, o := range e.server.options {
		reply.Options[o.code] = o.value
	}
	e.ipv6OnlyPreferred(reply.Options)
	if boot := e.server.policy.bootServerAddress; boot.IsValid() {
		reply.ServerIPAddr = boot.AsSlice()
	}
	if kind == dhcpv4.MessageTypeAck && (e.ciaddr == address || !address.IsValid()) {
		reply.ClientIPAddr = e.request.ClientIPAddr // RENEWING, REBINDING, DHCPINFORM
	}
	if static, ok := e.server.static[e.hardware]; ok && static.Hostname != "" {
		setHostName(reply.Options, static.Hostname)
	}
	if address.IsValid() {
		reply.YourIPAddr = address.AsSlice()
		seconds := uint32(e.leaseTime() / time.Second)
		reply.Options[dhcpv4.OptionIPAddressLeaseTime.Code()] = binary.BigEndian.AppendUint32(nil, seconds)
	}
	return reply
}

// setHostName sends a single label as option 12, several as option 81 (RFC 4702: flags E and S clear, N set; name in wire format).
func setHostName(options dhcpv4.Options, name string) {
	if !strings.Contains(name, ".") {
		options[dhcpv4.OptionHostName.Code()] = []byte(name)
		return
	}
	const noUpdates, wireFormat = 1 << 3, 1 << 2
	fqdn := []byte{noUpdates | wireFormat, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		fqdn = append(append(fqdn, byte(len(label))), label...)
	}
	options[dhcpv4.OptionFQDN.Code()] = append(fqdn, 0)
}

// nak is a DHCPNAK. Through a relay agent it must be broadcast: the client's address is the one it cannot have (section 4.3.2).
func (e *exchange) nak(reason string) *dhcpv4.DHCPv4 {
	reply := e.message(dhcpv4.MessageTypeNak)
	reply.Options[dhcpv4.OptionMessage.Code()] = []byte(reason)
	if given(reply.GatewayIPAddr).IsValid() {
		reply.SetBroadcast()
	}
	return reply
}
