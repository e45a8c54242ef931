package container

import (
	"slices"
	"testing"
	"time"

	"nspawnkit/machined"
)

func TestWatchdog(t *testing.T) {
	type heard struct {
		message string
		lines   []string
		ours    bool // whether the supervisor pings afterwards
	}
	none := []string(nil)
	for name, test := range map[string]struct {
		limit time.Duration
		steps []heard
	}{
		"nothing about it":  {time.Minute, []heard{{"READY=1\nSTATUS=up", none, true}}},
		"not watched":       {0, []heard{{"WATCHDOG=1", none, true}, {"WATCHDOG=trigger", none, true}, {"WATCHDOG_USEC=5", none, true}, {"STOPPING=1", none, true}}},
		"pings":             {time.Minute, []heard{{"WATCHDOG=1", []string{"WATCHDOG=1"}, false}, {"STATUS=x", none, false}, {"WATCHDOG=1", []string{"WATCHDOG=1"}, false}}},
		"gives up":          {time.Minute, []heard{{"WATCHDOG=trigger", []string{"WATCHDOG=trigger"}, true}}},
		"nonsense":          {time.Minute, []heard{{"WATCHDOG=0", none, true}, {"WATCHDOG_USEC=0", none, true}, {"WATCHDOG_USEC=-1", none, true}, {"WATCHDOG_USEC=x", none, true}}},
		"shorter":           {time.Minute, []heard{{"WATCHDOG_USEC=5000000", []string{"WATCHDOG_USEC=5000000"}, false}}},
		"not longer":        {time.Minute, []heard{{"WATCHDOG_USEC=18446744073709551615", []string{"WATCHDOG_USEC=60000000"}, false}}},
		"shorter, and ping": {time.Minute, []heard{{"WATCHDOG=1\nWATCHDOG_USEC=5", []string{"WATCHDOG_USEC=5", "WATCHDOG=1"}, false}}},
		"shuts down":        {time.Minute, []heard{{"WATCHDOG=1", []string{"WATCHDOG=1"}, false}, {"STOPPING=1", []string{"WATCHDOG=1"}, true}}},
		"shuts down with a shorter time": {time.Minute, []heard{
			{"WATCHDOG_USEC=5", []string{"WATCHDOG_USEC=5"}, false},
			{"STOPPING=1", []string{"WATCHDOG_USEC=60000000", "WATCHDOG=1"}, true},
			{"STOPPING=1", none, true},
		}},
	} {
		w := watchdog{Limit: test.limit}
		for _, step := range test.steps {
			notification, err := machined.ParseNotification([]byte(step.message))
			if err != nil {
				t.Fatal(err)
			}
			if lines := w.hear(notification); !slices.Equal(lines, step.lines) || w.ours() != step.ours {
				t.Errorf("%s: %q: lines %q, ours %v; want %q, %v", name, step.message, lines, w.ours(), step.lines, step.ours)
			}
		}
	}
	w := watchdog{Limit: time.Minute}
	w.hear(machined.Notification{"WATCHDOG_USEC": "5"})
	if lines := w.end(); !slices.Equal(lines, []string{"WATCHDOG_USEC=60000000", "WATCHDOG=1"}) {
		t.Errorf("at the end: %q", lines)
	}
	if lines := w.hear(machined.Notification{"WATCHDOG_USEC": "5"}); lines != nil {
		t.Errorf("after the end: %q", lines)
	}
}
