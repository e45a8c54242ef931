package settings

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "4096": 4096, "1K": 1024, "1.5M": 1536 << 10, "1G 500M": 1<<30 + 500<<20, "1G500M1B": 1<<30 + 500<<20 + 1, " 7 B": 7, "1.K": 1024, "+1G +1": 1<<30 + 1,
	} {
		if got, err := parseSize(text, binary); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "7 ", "++1", ".5K", "1.5.5", "1.99999999999999999999K", "1k", "banana", "1M1G", "1KB", "0x10", "16E", "18446744073709551615", "1..5", "."} {
		if got, err := parseSize(text, binary); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
	if got, err := parseSize("1M", decimal); err != nil || got != 1e6 {
		t.Errorf("1M: %d, %v", got, err)
	}
}

func TestParseTimeSpan(t *testing.T) {
	for text, want := range map[string]uint64{
		"5": 5e6, "1.5s": 15e5, "2min 3s": 123e6, "100ms": 1e5, "7 us": 7, "7µs": 7, "1h30m": 5400e6, "infinity": Infinity, "1M": 2629800e6, ".5s": 5e5, "+1m+1s": 61e6, "1s.5": 15e5, "9 +5": 14e6,
	} {
		if got, err := parseTimeSpan(text, 1e6); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "s", "-1s", "5 parsecs", "infinity s", "99999999999y", "5.s", "9+5", "+.5s", "1h -1m", "5.5.5", "9223372036854775808us"} {
		if got, err := parseTimeSpan(text, 1e6); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestParseLimit(t *testing.T) {
	for _, test := range []struct {
		name, text string
		soft, hard uint64
	}{
		{"NOFILE", "0x400", 1024, 1024}, {"NOFILE", "1:infinity", 1, Infinity}, {"CPU", "1500ms", 2, 2}, {"CPU", "2min", 120, 120},
		{"CPU", "infinity", Infinity, Infinity}, {"RTTIME", "5", 5, 5}, {"RTTIME", "1s", 1e6, 1e6}, {"CORE", "1K:2K", 1024, 2048},
		{"NICE", "+19", 1, 1}, {"NICE", "-20", 40, 40}, {"NICE", "0", 0, 0}, {"NICE", "40", 40, 40},
	} {
		if got, err := parseLimit(test.name, test.text); err != nil || got != (Limit{test.soft, test.hard}) {
			t.Errorf("%s=%s: %v, %v", test.name, test.text, got, err)
		}
	}
}

func TestParseSignal(t *testing.T) {
	for text, want := range map[string]int{
		"TERM": 15, "SIGTERM": 15, "15": 15, "RTMIN": 34, "SIGRTMIN+3": 37, "RTMAX": 64, "RTMAX-1": 63, "64": 64, "SYS": 31, "HUP": 1,
	} {
		if got, err := parseSignal(text); err != nil || int(got) != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "SIG", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMIN++1", "RTMIN+ 1", "SIGSIGTERM"} {
		if got, err := parseSignal(text); err == nil {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func TestParsePercent(t *testing.T) {
	for text, want := range map[string]uint64{"0%": 0, "20%": 2000, "150%": 15000, "1.5%": 150, "12.34%": 1234} {
		if got, err := parsePercent(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "%", "20", "-1%", "1.%", "1.234%", ".5%", "99999999999999999999%"} {
		if got, err := parsePercent(text); err == nil {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func TestMachineName(t *testing.T) {
	for name, want := range map[string]bool{
		"web": true, "web-1": true, "a.b": true, "A1": true, "": false, "a_b": false, "-a": false, "a-": false, "a..b": false, ".a": false,
		"a.": false, "a/b": false, "..": false, "a b": false, "a\n": false, "ä": false, "a%i": false,
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":  true,
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": false,
	} {
		if got := ValidMachineName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	for directory, want := range map[string]string{
		"/srv/web": "web", "/srv/web/": "web", "/": "", "": "", "/srv/my_web": "myweb", "/srv/-x-.": "x", "/srv/..": "", "/srv/a..b": "a.b",
	} {
		if got := machineNameOf(directory, ""); got != want {
			t.Errorf("%s: %q, want %q", directory, got, want)
		}
	}
}
