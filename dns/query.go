package dns

import (
	"errors"

	"golang.org/x/net/dns/dnsmessage"
)

// Sizes of messages over UDP, in bytes.
const (
	minUDPSize = 512  // RFC 1035, section 2.3.4
	maxUDPSize = 4096 // the most that is sent, whatever a client would take

	// ourUDPSize is what a query over UDP may have: what crosses every link without fragments (RFC 9715).
	ourUDPSize = 1232
)

// Query is a question to answer.
type Query struct {
	ID       uint16
	Name     dnsmessage.Name // as it was written: clients compare it
	Type     dnsmessage.Type
	Class    dnsmessage.Class
	UDPSize  int  // what the client takes over UDP, between 512 and 4096
	EDNS     bool // RFC 6891
	DNSSEC   bool // DO (RFC 3225)
	recurse  bool // RD
	checking bool // CD
	opcode   dnsmessage.OpCode

	// RCode is not zero for what cannot be answered: FORMERR, NOTIMP, BADVERS, REFUSED.
	RCode dnsmessage.RCode
}

// badVersion is BADVERS (RFC 6891, section 9), whose upper bits are in the OPT record.
const badVersion dnsmessage.RCode = 16

// The types of questions that ask for a whole zone (RFC 5936, 1995), and the most records that a query may have beside its question.
const (
	typeIXFR       dnsmessage.Type = 251
	maxAdditionals int             = 4
)

// errNoQuery says that a message wants no answer.
var errNoQuery = errors.New("not a query")

// ParseQuery reads a message from a client. An error means that it gets no answer; what is wrong with a query that can be told so is its
// RCode.
func ParseQuery(message []byte) (Query, error) {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || h.Response {
		return Query{}, errNoQuery
	}
	q := Query{ID: h.ID, recurse: h.RecursionDesired, checking: h.CheckingDisabled, opcode: h.OpCode, UDPSize: minUDPSize}
	if h.OpCode != 0 {
		q.RCode = dnsmessage.RCodeNotImplemented
		return q, nil
	}
	if err := q.parse(&p); err != nil {
		q.RCode = dnsmessage.RCodeFormatError
	}
	switch {
	case q.RCode != 0:
	case q.Class != dnsmessage.ClassINET || q.Type == dnsmessage.TypeAXFR || q.Type == typeIXFR:
		q.RCode = dnsmessage.RCodeRefused
	}
	return q, nil
}

// parse reads what follows the header: one question, and an OPT record at most once (RFC 6891, section 6.1.1; RFC 9619).
func (q *Query) parse(p *dnsmessage.Parser) error {
	question, err := p.Question()
	if err != nil {
		return err
	}
	if _, err := p.Question(); err != dnsmessage.ErrSectionDone {
		return errors.New("more than one question")
	}
	q.Name, q.Type, q.Class = question.Name, question.Type, question.Class
	if _, err := p.AnswerHeader(); err != dnsmessage.ErrSectionDone {
		return errors.New("a query with answers")
	}
	if _, err := p.AuthorityHeader(); err != dnsmessage.ErrSectionDone {
		return errors.New("a query with authorities")
	}
	for range maxAdditionals {
		h, err := p.AdditionalHeader()
		if err == dnsmessage.ErrSectionDone {
			return nil
		}
		if err == nil && h.Type == dnsmessage.TypeOPT {
			err = q.option(h)
		}
		if err == nil {
			err = p.SkipAdditional()
		}
		if err != nil {
			return err
		}
	}
	return errors.New("too many records")
}

// option takes the OPT record: class is the client's size, TTL has the version and DO.
func (q *Query) option(h dnsmessage.ResourceHeader) error {
	if q.EDNS || h.Name.Length != 1 {
		return errors.New("not one OPT record of the root")
	}
	q.EDNS = true
	q.DNSSEC = h.DNSSECAllowed()
	q.UDPSize = min(max(int(h.Class), minUDPSize), maxUDPSize)
	if h.TTL>>16&0xff != 0 {
		q.RCode = badVersion
	}
	return nil
}

// header is the header of a reply.
func (q *Query) header(rcode dnsmessage.RCode) dnsmessage.Header {
	return dnsmessage.Header{
		ID: q.ID, Response: true, OpCode: q.opcode, RecursionDesired: q.recurse, RecursionAvailable: true, CheckingDisabled: q.checking,
		RCode: rcode & 0xf,
	}
}

// question returns the question as replies repeat it.
func (q *Query) question() dnsmessage.Question {
	return dnsmessage.Question{Name: q.Name, Type: q.Type, Class: q.Class}
}
