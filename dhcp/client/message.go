package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// The fields of a message (RFC 2131, section 2) that matter here, by offset.
const (
	opField       = 0
	hardwareType  = 1
	hardwareBytes = 2
	xidField      = 4
	secsField     = 8
	flagsField    = 10
	ciaddrField   = 12
	yiaddrField   = 16
	chaddrField   = 28
	snameField    = 44
	fileField     = 108
	cookieField   = 236
	optionsField  = 240

	bootRequest, bootReply = 1, 2
	ethernet               = 1
	broadcastFlag          = 0x8000
	magicCookie            = 0x63825363
	minMessage             = 300 // of BOOTP: relay agents may drop less (RFC 1542, section 2.1)
)

// Messages, by option 53 (RFC 2132, section 9.6).
const (
	discover = 1
	offer    = 2
	request  = 3
	ack      = 5
	nak      = 6
)

// Options (RFC 2132, and where another is named).
const (
	optionPad          = 0
	optionSubnetMask   = 1
	optionRouter       = 3
	optionDNS          = 6
	optionHostName     = 12
	optionDomain       = 15
	optionRequested    = 50
	optionLeaseTime    = 51
	optionOverload     = 52
	optionMessage      = 53
	optionServer       = 54
	optionParameters   = 55
	optionMaxMessage   = 57
	optionRenewal      = 58
	optionRebinding    = 59
	optionClient       = 61
	optionRapidCommit  = 80  // RFC 4039
	optionSearch       = 119 // RFC 3397
	optionStaticRoutes = 121 // RFC 3442
	optionEnd          = 255
)

// maxMessage is the largest message that is taken, with IP and UDP headers an Ethernet frame.
const maxMessage = 1472

// options are those of a message by their number; of one that comes in parts all in one (RFC 3396).
type options map[byte][]byte

// reply is what is of use in a message of a server.
type reply struct {
	kind    byte
	xid     uint32
	chaddr  [6]byte
	yiaddr  netip.Addr
	options options
}

// parseReply reads a message of a server to an Ethernet client.
func parseReply(message []byte) (reply, error) {
	if len(message) < optionsField || binary.BigEndian.Uint32(message[cookieField:]) != magicCookie {
		return reply{}, errors.New("not a DHCP message")
	}
	if message[opField] != bootReply || message[hardwareType] != ethernet || message[hardwareBytes] != 6 {
		return reply{}, errors.New("not a reply to an Ethernet client")
	}
	r := reply{
		xid:     binary.BigEndian.Uint32(message[xidField:]),
		chaddr:  [6]byte(message[chaddrField:]),
		yiaddr:  netip.AddrFrom4([4]byte(message[yiaddrField:])),
		options: options{},
	}
	if err := r.options.parse(message[optionsField:]); err != nil {
		return reply{}, err
	}
	overload := r.options.number8(optionOverload) // RFC 2131, section 4.1: first file, then sname
	if overload&1 != 0 {
		if err := r.options.parse(message[fileField:cookieField]); err != nil {
			return reply{}, err
		}
	}
	if overload&2 != 0 {
		if err := r.options.parse(message[snameField:fileField]); err != nil {
			return reply{}, err
		}
	}
	r.kind = r.options.number8(optionMessage)
	return r, nil
}

// parse adds the options in one of the fields of a message.
func (o options) parse(field []byte) error {
	for len(field) > 0 {
		code := field[0]
		field = field[1:]
		if code == optionPad {
			continue
		}
		if code == optionEnd {
			return nil
		}
		if len(field) == 0 || len(field) < 1+int(field[0]) {
			return fmt.Errorf("DHCP option %d is cut off", code)
		}
		length := 1 + int(field[0])
		o[code] = append(o[code], field[1:length]...)
		field = field[length:]
	}
	return nil
}

// number8 returns a number of one byte; 0: there is none.
func (o options) number8(code byte) byte {
	if value := o[code]; len(value) == 1 {
		return value[0]
	}
	return 0
}

// number32 returns a number of four bytes.
func (o options) number32(code byte) (uint32, bool) {
	value := o[code]
	if len(value) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(value), true
}

// addresses returns those that a host can have.
func (o options) addresses(code byte) (addresses []netip.Addr) {
	for value := o[code]; len(value) >= 4; value = value[4:] {
		if address := netip.AddrFrom4([4]byte(value)); ofHost(address) {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// ofHost reports whether a host other than this one can have an address.
func ofHost(address netip.Addr) bool {
	return address.Is4() && !address.IsUnspecified() && !address.IsMulticast() && !address.IsLoopback() && address.As4()[0] < 240 && address.As4()[0] > 0
}

// builder writes a message of a client.
type builder []byte

// newMessage begins a message: table 5 of RFC 2131, section 4.4.1.
func (c *Client) newMessage(kind byte, seconds uint16, from netip.Addr) builder {
	b := make(builder, optionsField, minMessage)
	b[opField], b[hardwareType], b[hardwareBytes] = bootRequest, ethernet, 6
	binary.BigEndian.PutUint32(b[xidField:], c.Transaction)
	binary.BigEndian.PutUint16(b[secsField:], seconds)
	if c.Broadcast {
		binary.BigEndian.PutUint16(b[flagsField:], broadcastFlag)
	}
	if from.IsValid() {
		copy(b[ciaddrField:], from.AsSlice())
	}
	copy(b[chaddrField:], c.Hardware[:])
	binary.BigEndian.PutUint32(b[cookieField:], magicCookie)
	b.add(optionMessage, kind)
	if len(c.Identifier) > 0 {
		b.add(optionClient, c.Identifier...)
	}
	if c.HostName != "" {
		b.add(optionHostName, []byte(c.HostName)...)
	}
	b.add(optionMaxMessage, maxMessage>>8, maxMessage&0xff)
	// Classless routes before routers, as RFC 3442 has it.
	b.add(optionParameters, optionSubnetMask, optionStaticRoutes, optionRouter, optionDNS, optionDomain, optionSearch)
	return b
}

func (b *builder) add(code byte, value ...byte) {
	*b = append(append(*b, code, byte(len(value))), value...)
}

func (b *builder) addAddress(code byte, address netip.Addr) { b.add(code, address.AsSlice()...) }

// message ends it.
func (b *builder) message() []byte {
	*b = append(*b, optionEnd)
	for len(*b) < minMessage {
		*b = append(*b, optionPad)
	}
	return *b
}
