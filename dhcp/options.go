package dhcp

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// replyOptions encodes the options that are the same in each reply with a configuration.
func (c Config) replyOptions() (dhcpv4.Options, error) {
	options := dhcpv4.Options{}
	var routers []netip.Addr
	if c.Router.IsValid() {
		routers = []netip.Addr{c.Router}
	}
	for _, servers := range []struct {
		code      dhcpv4.OptionCode
		prefix    []byte
		addresses []netip.Addr
	}{
		{dhcpv4.OptionRouter, nil, routers},
		{dhcpv4.OptionDomainNameServer, nil, c.DNS},
		{dhcpv4.OptionNTPServers, nil, c.NTP},
		{dhcpv4.OptionSIPServers, []byte{1}, c.SIP}, // RFC 3361, section 3.2: addresses follow
		{dhcpv4.OptionPostOfficeProtocolServer, nil, c.POP3},
		{dhcpv4.OptionSimpleMailTransportProtocolServer, nil, c.SMTP},
		{dhcpv4.OptionLPRServer, nil, c.LPR},
	} {
		if len(servers.addresses) == 0 {
			continue
		}
		value := servers.prefix
		for _, address := range servers.addresses {
			if !address.Is4() {
				return nil, fmt.Errorf("%v: %v is not an IPv4 address", servers.code, address)
			}
			value = append(value, address.AsSlice()...)
		}
		options[servers.code.Code()] = value
	}
	for _, text := range []struct {
		code  dhcpv4.OptionCode
		value string
	}{
		{dhcpv4.OptionDomainName, c.Domain},
		{dhcpv4.OptionReferenceToTZDatabase, c.Timezone},
		{dhcpv4.OptionTFTPServerName, c.BootServerName},
		{dhcpv4.OptionBootfileName, c.BootFilename},
	} {
		if text.value != "" {
			options[text.code.Code()] = []byte(text.value)
		}
	}
	if len(c.SendVendorOption) > 0 {
		options[dhcpv4.OptionVendorSpecificInformation.Code()] = encapsulate(c.SendVendorOption)
	}
	maps.Copy(options, c.SendOption)
	options[dhcpv4.OptionSubnetMask.Code()] = binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-c.ServerAddress.Bits()))
	if err := checkOptions(options); err != nil {
		return nil, err
	}
	return c.withSearch(options)
}

// option is one of a reply.
type option struct {
	code  uint8
	value []byte
}

// listed returns options in less memory than a map takes, by number.
func listed(options dhcpv4.Options) []option {
	list := make([]option, 0, len(options))
	for _, code := range slices.Sorted(maps.Keys(options)) {
		list = append(list, option{code, options[code]})
	}
	return list
}

// encapsulate writes options within an option, by number.
func encapsulate(options dhcpv4.Options) []byte {
	var b []byte
	for _, code := range slices.Sorted(maps.Keys(options)) {
		b = append(append(b, code, byte(len(options[code]))), options[code]...)
	}
	return b
}

func checkOptions(options dhcpv4.Options) error {
	total := 0
	for code, value := range options {
		switch code {
		case dhcpv4.OptionPad.Code(), dhcpv4.OptionEnd.Code(), dhcpv4.OptionDHCPMessageType.Code(), dhcpv4.OptionServerIdentifier.Code(),
			dhcpv4.OptionIPAddressLeaseTime.Code(), dhcpv4.OptionClientIdentifier.Code(), dhcpv4.OptionRelayAgentInformation.Code():
			return fmt.Errorf("DHCP option %d is the server's own", code)
		}
		total += 2 + len(value)
	}
	if total > maxOptionBytes {
		return fmt.Errorf("the configured DHCP options do not fit in a reply: %d bytes, %d at most", total, maxOptionBytes)
	}
	return nil
}

// ipv6OnlyPreferred adds option 108 for a client that asks for it (RFC 8925, section 3.3).
func (e *exchange) ipv6OnlyPreferred(options dhcpv4.Options) {
	code := dhcpv4.OptionIPv6OnlyPreferred
	wait := e.server.policy.ipv6OnlyPreferred
	if wait > 0 && slices.Contains(e.request.GetOneOption(dhcpv4.OptionParameterRequestList), code.Code()) {
		options[code.Code()] = binary.BigEndian.AppendUint32(nil, uint32(wait/time.Second))
	}
}
