package container

import (
	"testing"
	"time"

	"nspawnkit/machined"
)

// Who works or speaks makes progress, who waits does not; it is over when the container is ready, and after a time at the latest.
func TestBootProgress(t *testing.T) {
	begun := time.Unix(0, 0)
	p := bootProgress{Begun: begun}
	for i, look := range []struct {
		heard          machined.Notification
		at, worked     time.Duration
		advanced, over bool
	}{
		{at: 5 * time.Second, worked: 0},
		{at: 10 * time.Second, worked: 200 * time.Millisecond, advanced: true},
		{at: 15 * time.Second, worked: 300 * time.Millisecond},
		{at: 20 * time.Second, worked: 400 * time.Millisecond}, // since the last look, not since the last progress
		{at: 25 * time.Second, worked: 400 * time.Millisecond, heard: machined.Notification{"X_SYSTEMD_UNIT_ACTIVE": "a.service"}, advanced: true},
		{at: 30 * time.Second, worked: 400 * time.Millisecond, heard: machined.Notification{"STATUS": "(1 of 2) Job a running"}},
		{at: 35 * time.Second, worked: 400 * time.Millisecond, heard: machined.Notification{"WATCHDOG": "1"}},
		{at: progressLimit, worked: time.Minute, advanced: true},
		{at: progressLimit + 5*time.Second, worked: 2 * time.Minute, advanced: true, over: true},
		{at: 30 * time.Second, worked: 2 * time.Minute, heard: machined.Notification{"READY": "1"}, advanced: true, over: true},
	} {
		p.hear(look.heard)
		if advanced, over := p.look(begun.Add(look.at), look.worked); advanced != look.advanced || over != look.over {
			t.Errorf("%d: %v, %v, want %v, %v", i, advanced, over, look.advanced, look.over)
		}
	}
}
