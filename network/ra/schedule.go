package ra

import "time"

const (
	maxInterval = 10 * time.Minute // MaxRtrAdvInterval, the default (RFC 4861, section 6.2.1)
	leastMax    = 4 * time.Second  // the least MaxRtrAdvInterval

	initialCount    = 3                // MAX_INITIAL_RTR_ADVERTISEMENTS (RFC 4861, section 10)
	initialInterval = 16 * time.Second // MAX_INITIAL_RTR_ADVERT_INTERVAL
	pause           = 3 * time.Second  // MIN_DELAY_BETWEEN_RAS

	// Answers to single hosts: so many at once, and then one for each interval. All others wait for the next one to everybody.
	answersAtOnce  = 32
	answerInterval = time.Second / 8
)

// schedule says when to advertise (RFC 4861, sections 6.2.4 and 6.2.6).
//
// A host that asks is answered at once and alone: the random delay of section 6.2.6 keeps several routers of a link from answering
// together, and here there is one. When many ask, one advertisement answers all.
type schedule struct {
	max    time.Duration                       // MaxRtrAdvInterval
	random func(n time.Duration) time.Duration // from 0 up to, not including, n
	sent   int                                 // advertisements to everybody, up to initialCount
	last   time.Time                           // one to everybody
	due    time.Time                           // the next one to everybody
	asked  bool                                // somebody waits for it
	free   time.Time                           // when all answers to single hosts would be allowed again
}

// newSchedule begins with an advertisement at once.
func newSchedule(a *Advertisement, now time.Time, random func(time.Duration) time.Duration) *schedule {
	// A third: two advertisements may get lost before something ends.
	longest := max(min(maxInterval, a.shortestLifetime()/3), leastMax)
	return &schedule{max: longest, random: random, due: now, free: now}
}

// advertised notes that one went to everybody.
func (s *schedule) advertised(now time.Time) {
	s.last, s.asked = now, false
	s.sent = min(s.sent+1, initialCount)
	least := s.max / 3 // MinRtrAdvInterval
	next := least + s.random(s.max-least)
	if s.sent < initialCount {
		next = min(next, initialInterval)
	}
	s.due = now.Add(next)
}

// solicited notes that a host asks, and reports whether it is to be answered at once. alone says that its address is known. If not now,
// the next advertisement to everybody is for it, too, and comes soon.
func (s *schedule) solicited(now time.Time, alone bool) (answer bool) {
	if s.free.Before(now) {
		s.free = now
	}
	if next := s.free.Add(answerInterval); alone && next.Sub(now) <= answersAtOnce*answerInterval {
		s.free = next
		return true
	}
	s.asked = true
	if soon := s.last.Add(pause); s.due.After(soon) {
		s.due = soon
	}
	return false
}
