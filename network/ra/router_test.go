package ra

import (
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a link in a bubble of its own time.
type wire struct {
	start    time.Time
	router   *Router
	deaf     bool
	received int
	sent     []string // "TIME DESTINATION", and "final" for the last one
	err      error    // of Send
	failure  error
}

// newWire starts a router on a link.
func newWire(t *testing.T) *wire {
	w := &wire{start: time.Now()}
	w.advertise(t)
	return w
}

func (w *wire) advertise(t *testing.T) {
	t.Helper()
	var err error
	w.router, err = Start(w, &Advertisement{RouterLifetime: 30 * time.Minute}, longest, func(err error) { w.failure = err })
	if err != nil {
		t.Fatal(err)
	}
}

// solicit sends a solicitation from an address.
func (w *wire) solicit(source string) {
	if !w.deaf {
		w.received++
		w.router.Solicited([]byte{133, 0, 0, 0, 0, 0, 0, 0}, netip.MustParseAddr(source))
	}
}

func (w *wire) Hear(on bool) error {
	w.deaf = !on
	return nil
}

func (w *wire) Send(message []byte, to netip.Addr) error {
	text := time.Since(w.start).String() + " " + to.String()
	if message[6] == 0 && message[7] == 0 { // router lifetime
		text += " final"
	}
	w.sent = append(w.sent, text)
	return w.err
}

func (w *wire) check(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(w.sent, "\n"); got != strings.TrimSpace(want) {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
}

func TestRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		time.Sleep(time.Second)
		w.solicit("fe80::5")
		w.router.Solicited([]byte{133, 1, 0, 0, 0, 0, 0, 0}, netip.MustParseAddr("fe80::5"))
		time.Sleep(time.Second)
		w.solicit("::")
		time.Sleep(time.Minute)
		w.solicit("2001:db8::5") // not of the link: everybody is answered
		time.Sleep(time.Minute)
		w.router.Stop(ErrWithdrawn)
		w.router.Stop(ErrWithdrawn)
		w.solicit("fe80::5")
		w.check(t, "0s ff02::1\n1s fe80::5\n3s ff02::1\n19s ff02::1\n1m2s ff02::1\n2m2s ff02::1 final")
	})
}

// When the program ends, hosts keep their router.
func TestRouterEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		time.Sleep(time.Second)
		w.router.Stop(nil)
		time.Sleep(time.Hour)
		w.check(t, "0s ff02::1")
	})
}

func TestRouterFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		w.err = errors.New("no")
		time.Sleep(time.Hour)
		if w.failure == nil || w.failure.Error() != "send router advertisement: no" {
			t.Error(w.failure)
		}
		w.check(t, "0s ff02::1")
	})
}

// Whoever asks without end costs no more than some answers, and most of what is sent is not even read.
func TestRouterFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		for range 3000 {
			w.solicit("fe80::5")
			time.Sleep(10 * time.Millisecond)
		}
		everybody := len(slices.DeleteFunc(slices.Clone(w.sent), func(s string) bool { return !strings.HasSuffix(s, "ff02::1") }))
		if most := answersAtOnce + int(30*time.Second/answerInterval); len(w.sent)-everybody > most || everybody > 11 || w.received > most+11 {
			t.Errorf("received %d, sent %d, of these %d to everybody", w.received, len(w.sent), everybody)
		}
		w.router.Stop(nil)
	})
}

// However many links have a router, no goroutine waits.
func TestRouterGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := goroutines()
		var wires []*wire
		for range 200 {
			wires = append(wires, newWire(t))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if now := goroutines(); now > before+2 {
			t.Errorf("%d goroutines for 200 routers, %d without", now, before)
		}
		for _, w := range wires {
			if len(w.sent) < 3 {
				t.Fatalf("sent %q", w.sent)
			}
			w.router.Stop(nil)
		}
	})
}

// goroutines counts while all stand still. [runtime.NumGoroutine] does not see tens of them while it sorts those that have ended.
func goroutines() int {
	n, _ := runtime.GoroutineProfile(make([]runtime.StackRecord, 1000))
	return n
}
