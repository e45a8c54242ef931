package dns

import (
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// FuzzQuery gives raw bytes to the reader of queries: nothing crashes it, and what is answered here is a message that repeats ID and
// question and is no longer than the client takes.
func FuzzQuery(f *testing.F) {
	for _, message := range [][]byte{
		question("web.nspawn.internal.", dnsmessage.TypeA),
		question("web.", dnsmessage.TypeALL, withEDNS(1232, 0)),
		question("5.0.0.10.in-addr.arpa.", dnsmessage.TypePTR),
		question("5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", dnsmessage.TypePTR),
		question("www.example.", dnsmessage.TypeTXT, withEDNS(65535, 1)),
		question(".", dnsmessage.TypeNS),
		question("web.", dnsmessage.TypeA, func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }),
	} {
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		q, err := ParseQuery(message)
		if err != nil {
			return
		}
		z := testZone()
		var reply []byte
		if q.RCode != 0 {
			reply, err = q.Refuse(nil, q.RCode)
		} else if answer, ok := z.Answer(&q); ok {
			reply, err = q.Reply(nil, z, answer, q.UDPSize)
		} else {
			return
		}
		if err != nil {
			t.Fatalf("%x: %v", message, err)
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil {
			t.Fatalf("%x: unreadable reply %x: %v", message, reply, err)
		}
		if m.ID != q.ID || !m.Response || len(reply) > q.UDPSize || len(m.Questions) == 1 && m.Questions[0] != q.question() {
			t.Errorf("%x: reply %x", message, reply)
		}
	})
}

// FuzzAnswer gives raw bytes to the check of answers: what passes repeats ID and question, or says nothing of any name.
func FuzzAnswer(f *testing.F) {
	message := question("www.example.", dnsmessage.TypeA)
	q, err := ParseQuery(message)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(message)
	f.Add(answerTo(message, 1))
	f.Add(answerTo(message, 1, func(m *dnsmessage.Message) { m.Questions = nil; m.RCode = dnsmessage.RCodeServerFailure }))
	f.Add(answerTo(message, 1, func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if CheckAnswer(&q, q.ID, answer) != nil {
			return
		}
		if short := q.cut(answer); len(short) > q.UDPSize {
			t.Errorf("%x: cut to %d bytes", answer, len(short))
		}
		var p dnsmessage.Parser
		h, err := p.Start(answer)
		if err != nil || h.ID != q.ID || !h.Response {
			t.Fatalf("%x passed", answer)
		}
		questions, err := p.AllQuestions()
		switch {
		case err != nil || len(questions) > 1:
			t.Errorf("%x passed", answer)
		case len(questions) == 0:
			if h.RCode == dnsmessage.RCodeSuccess || h.RCode == dnsmessage.RCodeNameError {
				t.Errorf("%x passed without a question", answer)
			}
		case !sameName(&questions[0].Name, &q.Name) || questions[0].Type != q.Type:
			t.Errorf("%x passed for another question", answer)
		}
	})
}
