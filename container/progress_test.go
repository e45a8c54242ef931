package container

import (
	"testing"
	"time"
)

// Who works or speaks makes progress, who waits does not; it is over when the container is ready, and after a time at the latest.
func TestBootProgress(t *testing.T) {
	begun := time.Unix(0, 0)
	p := bootProgress{Begun: begun}
	for i, look := range []struct {
		heard, ready   bool
		at, worked     time.Duration
		advanced, over bool
	}{
		{at: 5 * time.Second, worked: 0},
		{at: 10 * time.Second, worked: 200 * time.Millisecond, advanced: true},
		{at: 15 * time.Second, worked: 300 * time.Millisecond},
		{at: 20 * time.Second, worked: 400 * time.Millisecond}, // since the last look, not since the last progress
		{at: 25 * time.Second, worked: 400 * time.Millisecond, heard: true, advanced: true},
		{at: 30 * time.Second, worked: 400 * time.Millisecond},
		{at: progressLimit, worked: time.Minute, advanced: true},
		{at: progressLimit + 5*time.Second, worked: 2 * time.Minute, advanced: true, over: true},
		{at: 30 * time.Second, worked: 2 * time.Minute, heard: true, ready: true, advanced: true, over: true},
	} {
		if look.heard {
			p.hear(look.ready)
		}
		if advanced, over := p.look(begun.Add(look.at), look.worked); advanced != look.advanced || over != look.over {
			t.Errorf("%d: %v, %v, want %v, %v", i, advanced, over, look.advanced, look.over)
		}
	}
}
