package poll

import (
	"testing"

	"golang.org/x/sys/unix"
)

// pair returns a descriptor with a function that sends to it.
func pair(t *testing.T) (fd int, send func()) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ends[0]); unix.Close(ends[1]) })
	return ends[0], func() {
		if _, err := unix.Write(ends[1], []byte("x")); err != nil {
			t.Error(err)
		}
	}
}

func open(t *testing.T) *Poller {
	t.Helper()
	poller, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { poller.Close() })
	return poller
}

// Everything that is sent is heard of, whether it comes while the poller waits or while a function runs.
func TestPoller(t *testing.T) {
	poller := open(t)
	received := make(chan int, 1000)
	var sends []func()
	for i := range 20 {
		fd, send := pair(t)
		sends = append(sends, send)
		if err := poller.Add(fd, func() {
			if n, err := unix.Read(fd, make([]byte, 1)); err != nil || n != 1 {
				t.Errorf("read %d, %v", n, err)
			}
			received <- i
		}); err != nil {
			t.Fatal(err)
		}
	}
	counts := map[int]int{}
	for range 10 {
		for _, send := range sends {
			send()
		}
		for range sends {
			counts[<-received]++
		}
	}
	for i := range sends {
		if counts[i] != 10 {
			t.Errorf("descriptor %d was heard of %d times", i, counts[i])
		}
	}
}

// A descriptor that was removed is not heard of any more, though something comes for it, and its number may be used again.
func TestRemove(t *testing.T) {
	poller := open(t)
	removed, send := pair(t)
	if err := poller.Add(removed, func() { t.Error("called after Remove") }); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is no error
		if err := poller.Remove(removed); err != nil {
			t.Fatal(err)
		}
	}
	send()
	other, sendOther := pair(t)
	called := make(chan struct{}, 1)
	if err := poller.Add(other, func() { unix.Read(other, make([]byte, 1)); called <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	sendOther()
	<-called
	if err := poller.Add(removed, func() { unix.Read(removed, make([]byte, 1)); called <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	<-called
}
