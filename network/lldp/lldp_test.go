package lldp

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The bytes are written down from IEEE 802.1AB-2016, clause 8.
func TestFrame(t *testing.T) {
	source := [6]byte{2, 0, 0, 0, 0, 1}
	for _, test := range []struct {
		name    string
		station Station
		port    Port
		want    []string
	}{
		{"all", Station{"0123456789abcdef0123456789abcdef", "web", "The Web", true}, Port{CustomerBridge, source, "ve-web", "a link", "https://example.com/"}, []string{
			"0180c2000000020000000001", "88cc",
			"0221", "07" + hex.EncodeToString([]byte("0123456789abcdef0123456789abcdef")),
			"0407", "0576652d776562",
			"0602", "0079",
			"0806", hex.EncodeToString([]byte("a link")),
			"0a03", hex.EncodeToString([]byte("web")),
			"0c07", hex.EncodeToString([]byte("The Web")),
			"fe18", "00005e01" + hex.EncodeToString([]byte("https://example.com/")),
			"0e04", "00940010", "0000",
		}},
		{"least", Station{}, Port{Group: NearestBridge, Source: source, Name: "a"}, []string{
			"0180c200000e020000000001", "88cc", "0201", "07", "0402", "0561", "0602", "0079", "0e04", "00940080", "0000",
		}},
	} {
		if got, want := hex.EncodeToString(Frame(test.station, test.port)), strings.Join(test.want, ""); got != want {
			t.Errorf("%s: got  %s\nwant %s", test.name, got, want)
		}
	}
	long := Frame(Station{Name: strings.Repeat("x", 1000)}, Port{Group: NonTPMRBridge})
	if !strings.Contains(string(long), "\x0a\xff"+strings.Repeat("x", 255)+"\x0e\x04") {
		t.Errorf("a long name: %x", long)
	}
}

func TestSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		start := time.Now()
		s := NewSender(func(link int, frame []byte) error {
			sent = append(sent, fmt.Sprintf("%v %d %s", time.Since(start), link, frame))
			return nil
		}, func(time.Duration) time.Duration { return 100 * time.Millisecond })
		ctx, stop := context.WithCancel(t.Context())
		go s.Run(ctx)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(sent) > 0 {
			t.Errorf("sent without a link: %v", sent)
		}
		start = time.Now()
		expect := func(d time.Duration, want ...string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if !slices.Equal(sent, want) {
				t.Errorf("sent %q, want %q", sent, want)
			}
			sent = nil
		}
		s.Set(map[int][]byte{3: []byte("a")})
		expect(60*time.Second, "0s 3 a", "1.1s 3 a", "2.2s 3 a", "3.3s 3 a", "33.4s 3 a")
		s.Set(map[int][]byte{3: []byte("a")}) // nothing new
		expect(time.Second)
		s.Set(map[int][]byte{3: []byte("b")})
		expect(time.Second, "1m1s 3 b")
		s.Set(nil)
		expect(time.Hour)
		stop()
		synctest.Wait()
	})
}
