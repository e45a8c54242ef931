package main

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"
)

func TestParseReport(t *testing.T) {
	text, err := os.ReadFile("testdata/perfdhcp.txt")
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseReport(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if r.discovers != 5 || r.offers != 4 || r.requests != 3 || r.acks != 2 {
		t.Errorf("counts %+v", r)
	}
	if want := []time.Duration{250 * time.Microsecond, 586 * time.Microsecond, 41705 * time.Microsecond}; !slices.Equal(r.offerTimes, want) {
		t.Errorf("times to an offer %v, want %v", r.offerTimes, want)
	}
	if want := []time.Duration{209 * time.Microsecond, 1002 * time.Millisecond}; !slices.Equal(r.ackTimes, want) {
		t.Errorf("times to an acknowledgement %v, want %v", r.ackTimes, want)
	}
	for _, bad := range []string{"", "sent packets: none\n", "sent packets: 1\nsent / received: 1 / 2\n"} {
		if _, err := parseReport(bad); err == nil {
			t.Errorf("no error in %q", bad)
		}
	}
}

func TestComplete(t *testing.T) {
	for _, test := range []struct {
		report   report
		complete bool
	}{
		{report{discovers: 100, offers: 100, requests: 100, acks: 100}, true},
		{report{discovers: 100, offers: 100, requests: 100, acks: 99}, true}, // the one at the end
		{report{discovers: 100, offers: 100, requests: 100, acks: 98}, false},
		{report{discovers: 100, offers: 98, requests: 98, acks: 98}, false},
		{report{discovers: 1, offers: 1, requests: 1}, false},
	} {
		if got := test.report.complete(); got != test.complete {
			t.Errorf("%+v: %v", test.report, got)
		}
	}
}

func TestFastest(t *testing.T) {
	for limit, want := range map[int]struct{ least, most float64 }{
		5: {4, 5}, 100: {90, 100}, 3333: {3000, 3333}, 50000: {15000, 32000},
	} {
		flaky := map[int]bool{}
		got, err := fastest(60, 32000, 4, func(rate int) (float64, error) {
			if !flaky[rate] { // each rate fails once for no reason
				flaky[rate] = true
				return 0, nil
			}
			if rate > limit {
				return 0, nil
			}
			return float64(rate), nil
		})
		if err != nil || got < want.least || got > want.most {
			t.Errorf("limit %d: found %v, %v", limit, got, err)
		}
	}
	broken := errors.New("broken")
	if _, err := fastest(60, 100, 4, func(int) (float64, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

func TestSubnet(t *testing.T) {
	for prefix, want := range map[int]int{few: 245, many: 65525} {
		if got := newSubnet(prefix).size(); got != want {
			t.Errorf("/%d has %d addresses to give out, want %d", prefix, got, want)
		}
	}
}
