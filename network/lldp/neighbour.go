package lldp

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Neighbour is what a station at the other end of a link says of itself. What is not printable in a text is escaped, so that it can be shown; text
// that was not said is empty.
type Neighbour struct {
	Link              string       `json:"link"` // name of ours
	SystemName        string       `json:"systemName,omitempty"`
	SystemDescription string       `json:"systemDescription,omitempty"`
	ChassisID         string       `json:"chassisId"` // as networkctl(1) shows it
	PortID            string       `json:"portId"`
	PortDescription   string       `json:"portDescription,omitempty"`
	Capabilities      Capabilities `json:"capabilities"` // those that are enabled
}

// Capabilities are bits of IEEE 802.1AB-2016, table 8-4.
type Capabilities uint16

// Routers reports whether there is one that LLDP=routers-only asks for: all but telephones, stations and what is not named.
func (c Capabilities) Routers() bool { return c&(1<<1|1<<2|1<<3|1<<4|1<<6|1<<8|1<<9|1<<10) != 0 }

// String has a letter for each bit, as networkctl(1) shows them: other, repeater, bridge, WLAN access point, router, telephone, DOCSIS cable device,
// station, customer VLAN, service VLAN, two-port MAC relay.
func (c Capabilities) String() string {
	letters := []byte("opbwrtdacsm")
	for i := range letters {
		if c&(1<<i) == 0 {
			letters[i] = '.'
		}
	}
	return string(letters)
}

// MarshalText writes the letters.
func (c Capabilities) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads them.
func (c *Capabilities) UnmarshalText(text []byte) error {
	*c = 0
	for i, letter := range text {
		if letter != '.' && i < 16 {
			*c |= 1 << i
		}
	}
	return nil
}

// message is an LLDPDU.
type message struct {
	Neighbour
	chassis, port string // the bytes of both IDs, which tell neighbours apart
	lifetime      time.Duration
}

const etherHeader = 14

var errMalformed = errors.New("malformed LLDP frame")

// parse reads an Ethernet frame with an LLDPDU (IEEE 802.1AB-2016, clause 9.2.7.7). Of what need not be there, what is malformed is left out.
func parse(frame []byte) (message, error) {
	m := message{}
	if len(frame) < etherHeader || binary.BigEndian.Uint16(frame[12:]) != etherType || frame[6]&1 != 0 {
		return m, errMalformed
	}
	switch Group(frame[:6]) {
	case NearestBridge, NonTPMRBridge, CustomerBridge:
	default:
		return m, errMalformed
	}
	m.Capabilities = capableStation
	timed := false
	for rest := frame[etherHeader:]; ; {
		if len(rest) < 2 {
			return m, errMalformed
		}
		header := binary.BigEndian.Uint16(rest)
		kind, length := header>>9, int(header&0x1ff)
		if len(rest) < 2+length {
			return m, errMalformed
		}
		value := rest[2 : 2+length]
		rest = rest[2+length:]
		if kind == end {
			break // what follows fills the frame up
		}
		if !m.take(kind, value, &timed) {
			return m, errMalformed
		}
	}
	if m.chassis == "" || m.port == "" || !timed {
		return m, errMalformed
	}
	return m, nil
}

// take takes one TLV. It reports whether the LLDPDU may be so: the IDs and the time to live are there once, of the right length.
func (m *message) take(kind uint16, value []byte, timed *bool) bool {
	isID := len(value) >= 2 && len(value) <= 256
	switch kind {
	case chassisID:
		if !isID || m.chassis != "" {
			return false
		}
		m.chassis, m.ChassisID = string(value), identifier(value, chassisMAC, chassisAddress, chassisTexts)
	case portID:
		if !isID || m.port != "" {
			return false
		}
		m.port, m.PortID = string(value), identifier(value, portMAC, portAddress, portTexts)
	case timeToLive:
		if len(value) != 2 || *timed {
			return false
		}
		m.lifetime, *timed = time.Duration(binary.BigEndian.Uint16(value))*time.Second, true
	case portDescription:
		m.PortDescription = printable(value)
	case systemName:
		m.SystemName = printable(value)
	case systemDescription:
		m.SystemDescription = printable(value)
	case systemCapabilities:
		if len(value) == 4 {
			m.Capabilities = Capabilities(binary.BigEndian.Uint16(value[2:]))
		}
	}
	return true
}

// Subtypes of IDs (IEEE 802.1AB-2016, tables 8-2 and 8-3).
const (
	chassisMAC, chassisAddress = 4, 5
	portMAC, portAddress       = 3, 4

	chassisTexts = 1<<1 | 1<<2 | 1<<3 | 1<<6 | 1<<7 // those that are text
	portTexts    = 1<<1 | 1<<2 | 1<<5 | 1<<7
)

// identifier returns an ID as text: behind its subtype it is text, a hardware address, an address after its family, or any bytes.
func identifier(value []byte, hardware, address byte, texts uint) string {
	subtype, id := value[0], value[1:]
	switch {
	case subtype < 8 && texts&(1<<subtype) != 0:
		return printable(id)
	case subtype == hardware && len(id) == 6:
		return net.HardwareAddr(id).String()
	case subtype == address && (id[0] == 1 && len(id) == 5 || id[0] == 2 && len(id) == 17): // IANA's numbers of address families
		addr, _ := netip.AddrFromSlice(id[1:])
		return addr.String()
	}
	return hex.EncodeToString(id)
}

// printable escapes what cannot be shown.
func printable(text []byte) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == utf8.RuneError && size == 1, !unicode.IsPrint(r):
			for _, c := range text[:size] {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		default:
			b.WriteRune(r)
		}
		text = text[size:]
	}
	return b.String()
}
