package dns

import (
	"fmt"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// localTTL keeps answers out of caches: a container may have another address at any moment, and asking again costs next to nothing.
const localTTL = 0

// Reply writes an answer of ours to buffer, at most max bytes: what does not fit is left out, and the client told so (TC).
func (q *Query) Reply(buffer []byte, z *Zone, a Answer, max int) ([]byte, error) {
	message, err := q.build(buffer, z, a, false)
	if err == nil && len(message) > max {
		message, err = q.build(buffer, z, a, true)
	}
	if err != nil {
		return nil, fmt.Errorf("write DNS reply: %w", err)
	}
	return message, nil
}

// Refuse writes a reply that has nothing but a code, to buffer.
func (q *Query) Refuse(buffer []byte, rcode dnsmessage.RCode) ([]byte, error) {
	b := dnsmessage.NewBuilder(buffer[:0], q.header(rcode))
	err := q.start(&b)
	if err == nil {
		err = q.finish(&b, rcode)
	}
	if err != nil {
		return nil, fmt.Errorf("write DNS reply: %w", err)
	}
	return b.Finish()
}

func (q *Query) build(buffer []byte, z *Zone, a Answer, truncated bool) ([]byte, error) {
	h := q.header(a.RCode)
	h.Authoritative, h.Truncated = true, truncated
	b := dnsmessage.NewBuilder(buffer[:0], h)
	if err := q.start(&b); err != nil {
		return nil, err
	}
	if !truncated {
		if err := q.records(&b, z, a); err != nil {
			return nil, err
		}
	}
	if err := q.finish(&b, a.RCode); err != nil {
		return nil, err
	}
	return b.Finish()
}

// start writes the question, where the query had one that could be read.
func (q *Query) start(b *dnsmessage.Builder) error {
	if q.Name.Length == 0 {
		return nil
	}
	if err := b.StartQuestions(); err != nil {
		return err
	}
	return b.Question(q.question())
}

// records writes the answers, or who is responsible for there being none (RFC 2308).
func (q *Query) records(b *dnsmessage.Builder, z *Zone, a Answer) error {
	if err := b.StartAnswers(); err != nil {
		return err
	}
	h := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: localTTL}
	for _, address := range a.Addresses {
		var err error
		if address.Is4() {
			err = b.AResource(h, dnsmessage.AResource{A: address.As4()})
		} else {
			err = b.AAAAResource(h, dnsmessage.AAAAResource{AAAA: address.As16()})
		}
		if err != nil {
			return err
		}
	}
	if a.Pointer != "" {
		name, err := dnsmessage.NewName(a.Pointer + ".")
		if err != nil {
			return err
		}
		return b.PTRResource(h, dnsmessage.PTRResource{PTR: name})
	}
	if len(a.Addresses) > 0 {
		return nil
	}
	return q.authority(b, z)
}

// authority writes the SOA record of a zone. For a name elsewhere, such as that of an address, the zone is the name itself.
func (q *Query) authority(b *dnsmessage.Builder, z *Zone) error {
	name := q.Name
	if text, _ := canonical(&q.Name); belongs(text, z.Suffix) {
		var err error
		if name, err = dnsmessage.NewName(z.Suffix + "."); err != nil {
			return err
		}
	}
	server, err := dnsmessage.NewName(gatewayName + "." + z.Suffix + ".")
	if err != nil {
		return err
	}
	if err := b.StartAuthorities(); err != nil {
		return err
	}
	return b.SOAResource(dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: localTTL},
		dnsmessage.SOAResource{NS: server, MBox: server, Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, MinTTL: localTTL})
}

// belongs reports whether a name is the domain or in it.
func belongs(name, domain string) bool {
	rest, found := strings.CutSuffix(name, domain)
	return found && (rest == "" || strings.HasSuffix(rest, "."))
}

// finish writes the OPT record, where the client has sent one.
func (q *Query) finish(b *dnsmessage.Builder, rcode dnsmessage.RCode) error {
	if !q.EDNS {
		return nil
	}
	if err := b.StartAdditionals(); err != nil {
		return err
	}
	var h dnsmessage.ResourceHeader
	if err := h.SetEDNS0(ourUDPSize, rcode, q.DNSSEC); err != nil {
		return err
	}
	return b.OPTResource(h, dnsmessage.OPTResource{})
}
