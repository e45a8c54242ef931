package ra

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a link in a bubble of its own time.
type wire struct {
	start     time.Time
	solicited chan netip.Addr // sources of solicitations
	interrupt chan struct{}
	received  int
	sent      []string // "TIME DESTINATION", and "final" for the last one
	err       error    // of Send
}

func newWire() *wire {
	return &wire{start: time.Now(), solicited: make(chan netip.Addr, 10000), interrupt: make(chan struct{})}
}

func (w *wire) Receive(buffer []byte, until time.Time) (int, netip.Addr, error) {
	select {
	case <-w.interrupt:
	case <-time.After(time.Until(until)):
	case source := <-w.solicited:
		w.received++
		return copy(buffer, []byte{133, 0, 0, 0, 0, 0, 0, 0}), source, nil
	}
	return 0, netip.Addr{}, os.ErrDeadlineExceeded
}

func (w *wire) Interrupt() { close(w.interrupt) }

func (w *wire) Send(message []byte, to netip.Addr) error {
	text := time.Since(w.start).String() + " " + to.String()
	if message[6] == 0 && message[7] == 0 { // router lifetime
		text += " final"
	}
	w.sent = append(w.sent, text)
	return w.err
}

// serve serves the wire until cause, while f runs, and returns the error.
func (w *wire) serve(t *testing.T, cause error, f func()) error {
	ctx, stop := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() { done <- Serve(ctx, w, &Advertisement{RouterLifetime: 30 * time.Minute}, longest) }()
	f()
	synctest.Wait()
	stop(cause)
	return <-done
}

func (w *wire) check(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(w.sent, "\n"); got != strings.TrimSpace(want) {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
}

func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		err := w.serve(t, ErrWithdrawn, func() {
			time.Sleep(time.Second)
			w.solicited <- netip.MustParseAddr("fe80::5")
			time.Sleep(time.Second)
			w.solicited <- netip.IPv6Unspecified()
			time.Sleep(time.Minute)
			w.solicited <- netip.MustParseAddr("2001:db8::5") // not of the link: everybody is answered
			time.Sleep(time.Minute)
		})
		if err != nil {
			t.Error(err)
		}
		w.check(t, "0s ff02::1\n1s fe80::5\n3s ff02::1\n19s ff02::1\n1m2s ff02::1\n2m2s ff02::1 final")
	})
}

// When the program ends, hosts keep their router.
func TestServeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		if err := w.serve(t, nil, func() { time.Sleep(time.Second) }); err != nil {
			t.Error(err)
		}
		w.check(t, "0s ff02::1")
	})
}

func TestServeFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.err = errors.New("no")
		err := Serve(t.Context(), w, &Advertisement{}, longest)
		if err == nil || err.Error() != "send router advertisement: no" {
			t.Error(err)
		}
	})
}

// Whoever asks without end costs no more than some answers, and most of what is sent is not even read.
func TestServeFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		for range cap(w.solicited) {
			w.solicited <- netip.MustParseAddr("fe80::5")
		}
		w.serve(t, nil, func() { time.Sleep(30 * time.Second) })
		everybody := len(slices.DeleteFunc(slices.Clone(w.sent), func(s string) bool { return !strings.HasSuffix(s, "ff02::1") }))
		if most := answersAtOnce + int(30*time.Second/answerInterval); len(w.sent)-everybody > most || everybody > 11 || w.received > most+11 {
			t.Errorf("received %d, sent %d, of these %d to everybody", w.received, len(w.sent), everybody)
		}
	})
}
