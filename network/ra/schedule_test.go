package ra

import (
	"testing"
	"time"
)

func zero(time.Duration) time.Duration      { return 0 }
func longest(n time.Duration) time.Duration { return n - 1 }

// An advertisement at once, two more soon, and then one in an interval (RFC 4861, section 6.2.4).
func TestUnsolicited(t *testing.T) {
	for _, test := range []struct {
		name   string
		a      Advertisement
		random func(time.Duration) time.Duration
		after  [5]time.Duration
	}{
		{"defaults, often", Advertisement{RouterLifetime: 30 * time.Minute}, zero,
			[5]time.Duration{0, 16 * time.Second, 16 * time.Second, 200 * time.Second, 200 * time.Second}},
		{"defaults, rarely", Advertisement{RouterLifetime: 30 * time.Minute}, longest,
			[5]time.Duration{0, 16 * time.Second, 16 * time.Second, 10 * time.Minute, 10 * time.Minute}},
		{"short prefix", Advertisement{RouterLifetime: time.Hour, Prefixes: []Prefix{{Preferred: time.Minute}}}, longest,
			[5]time.Duration{0, 16 * time.Second, 16 * time.Second, 20 * time.Second, 20 * time.Second}},
		{"shorter than allowed", Advertisement{RouterLifetime: 4 * time.Second}, longest,
			[5]time.Duration{0, 4 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second}},
		{"nothing ends", Advertisement{}, longest,
			[5]time.Duration{0, 16 * time.Second, 16 * time.Second, 10 * time.Minute, 10 * time.Minute}},
	} {
		now := time.Unix(1e9, 0)
		s := newSchedule(&test.a, now, test.random)
		for i, want := range test.after {
			if got := s.due.Sub(now).Round(time.Second); got != want {
				t.Errorf("%s: %d after %v, want %v", test.name, i, got, want)
			}
			now = s.due
			s.advertised(now)
		}
	}
}

func TestSolicited(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := newSchedule(&Advertisement{}, now, longest)
	s.advertised(now)
	if s.solicited(now, false) || !s.asked || s.due.Sub(now) != pause {
		t.Errorf("a host without an address: asked %v, due after %v", s.asked, s.due.Sub(now))
	}
	s.advertised(now.Add(pause))
	answered := 0
	for range 1000 {
		if s.solicited(now.Add(pause), true) {
			answered++
		}
	}
	if answered != answersAtOnce || !s.asked || s.due.Sub(now) != 2*pause {
		t.Errorf("%d answered alone, asked %v, due after %v", answered, s.asked, s.due.Sub(now))
	}
	now = now.Add(2 * pause)
	s.advertised(now)
	if s.asked {
		t.Error("still asked")
	}
	for answered = 0; s.solicited(now, true); answered++ {
	}
	if want := int(pause / answerInterval); answered != want {
		t.Errorf("%d answered after %v, want %d", answered, pause, want)
	}
}
