package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nspawnkit/container"
	"nspawnkit/settings"
)

// logOptions are the $SYSTEMD_LOG_… variables of systemd-nspawn(1), "ENVIRONMENT".
type logOptions struct {
	target   string // "console", "journal", "kmsg" or "null"
	prefixed bool   // with priorities on the console, too
	level    int    // the least important priority that is printed
	time     bool
	color    bool
	name     string // before each message where it is not known who says it
}

// parseLogOptions returns a warning for what has no effect. hasJournal says that the journal reads standard error.
func parseLogOptions(getenv func(string) string, hasJournal bool) (o logOptions, warnings []string) {
	ignore := func(name, why string) {
		warnings = append(warnings, fmt.Sprintf("$%s=%s: %s, ignoring", name, getenv(name), why))
	}
	enabled := func(name string) bool {
		value, err := settings.ParseBool(getenv(name))
		if err != nil && getenv(name) != "" {
			ignore(name, err.Error())
		}
		return value && err == nil
	}
	o.target, o.level = "console", container.Info
	if hasJournal {
		o.target, o.level = "journal", container.Debug
	}
	switch target := getenv("SYSTEMD_LOG_TARGET"); target {
	case "", "auto":
	case "console", "kmsg", "null":
		o.target = target
	case "console-prefixed":
		o.target, o.prefixed = "console", true
	case "journal", "journal-or-kmsg", "syslog", "syslog-or-kmsg":
		if !hasJournal {
			ignore("SYSTEMD_LOG_TARGET", "standard error is not read by the journal")
		}
	default:
		ignore("SYSTEMD_LOG_TARGET", "not a log target")
	}
	if text := getenv("SYSTEMD_LOG_LEVEL"); text != "" {
		level, ok := logLevel(text, o.target)
		if o.level = level; !ok {
			ignore("SYSTEMD_LOG_LEVEL", "not a log level")
		}
	}
	o.time, o.color = enabled("SYSTEMD_LOG_TIME"), enabled("SYSTEMD_LOG_COLOR")
	for _, name := range []string{"SYSTEMD_LOG_LOCATION", "SYSTEMD_LOG_TID"} {
		if enabled(name) {
			ignore(name, "has no effect here")
		}
	}
	return o, warnings
}

// logLevel reads a list such as "debug,console:info"; the level of the target cannot be above that of all.
func logLevel(text, target string) (level int, ok bool) {
	names := []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	level, ofTarget, ok := container.Info, container.Debug, true
	for item := range strings.SplitSeq(text, ",") {
		where, name, found := strings.Cut(item, ":")
		if !found {
			where, name = "", item
		}
		number, err := strconv.Atoi(name)
		if err != nil {
			number = slices.Index(names, name)
		}
		switch known := slices.Contains([]string{"", "console", "journal", "kmsg", "syslog"}, where); {
		case !known, number < 0, number >= len(names):
			ok = false
		case where == "":
			level = number
		case where == target:
			ofTarget = number
		}
	}
	return min(level, ofTarget), ok
}
