package container

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"nspawnkit/settings"
)

// What is expected was printed by systemd-nspawn 262 on a terminal.
func TestPainter(t *testing.T) {
	for output, want := range map[string]string{
		"plain":                          "plain",
		"a\r\nb":                         "a\r\x1b[44m\n\x1b[44mb",
		"\x1b[31mred\x1b[0mnormal":       "\x1b[31mred\x1b[0;44mnormal",
		"\x1b[mx\x1b[1;49my":             "\x1b[;44mx\x1b[1;49;44my",
		"\x1b[00ma\x1b[000mb":            "\x1b[00;44ma\x1b[000mb",
		"\x1b[0;41mc\x1b[41;0md":         "\x1b[0;41mc\x1b[41;0;44md",
		"\x1b[38;5;0me\x1b[38;2;0;0;0mf": "\x1b[38;5;0me\x1b[38;2;0;0;0mf",
		"\x1b[48;5;0mg\x1b[7mh\x1b[Ki":   "\x1b[48;5;0mg\x1b[7mh\x1b[Ki",
		"\x1b[!pl\x1bcm":                 "\x1b[!p\x1b[44ml\x1bc\x1b[44mm",
		"\x1b]0;title\a.":                "\x1b]0;title\a\x1b]0;🔵 title\x1b\\.",
		"\x1b]0;title\x1b\\.":            "\x1b]0;title\x1b\\\x1b]0;🔵 title\x1b\\.",
		"\x1b]2;ab\a\x1b]1;cd\a":         "\x1b]2;ab\a\x1b]1;cd\a",
		"\x1b]0;half\x1b[0mx":            "\x1b]0;half\x1b[0;44mx",
		"\x1b[\x1b[0m":                   "\x1b[\x1b[0;44m",
	} {
		for cut := range len(output) + 1 { // wherever a read ends
			p := painter{background: "44", prefix: titlePrefix}
			got := string(p.paint(nil, []byte(output[:cut]))) + string(p.paint(nil, []byte(output[cut:])))
			if got != want {
				t.Errorf("%q cut at %d: %q, want %q", output, cut, got, want)
			}
		}
		if got := (&painter{}).paint(nil, []byte(output)); string(got) != output {
			t.Errorf("%q without color: %q", output, got)
		}
	}
	long := append([]byte("\x1b]0;"), bytes.Repeat([]byte("x"), 10*maxSequence)...)
	if p := (painter{prefix: titlePrefix}); len(p.paint(nil, append(long, '\a'))) != len(long)+1 || len(p.sequence) > maxSequence {
		t.Error("a title without end is kept, or changed")
	}
}

// What a terminal answers to is known, wherever a read ends.
func TestAsked(t *testing.T) {
	for output, want := range map[string]bool{
		"\x05": true, "\x1bZ": true, "\x1b[c": true, "\x1b[>0c": true, "\x1b[5n": true, "\x1b[?6n": true, "\x1b[18t": true, "\x1b[?2026$p": true,
		"\x1b[>0q": true, "\x1b[?u": true, "\x1b]10;?\a": true, "\x1b]4;1;?\x1b\\": true, "\x1bP$qm\x1b\\": true, "\x1bP+q544e\x1b\\": true, "\x1b_Gi=1\x1b\\": true,
		"plain?\r\n": false, "\x1b[0;31mred\x1b[0m\x1b[K\x1b[2J\x1b[10;20H": false, "\x1b[!p\x1bc": false, "\x1b[2 q\x1b[u\x1b[s": false,
		"\x1b[22;2t\x1b[23;2t": false, "\x1b]0;title\a": false, "\x1b[?25l\x1b[?1049h": false,
	} {
		for cut := range len(output) + 1 {
			var p painter
			p.paint(nil, []byte(output[:cut]))
			if p.paint(nil, []byte(output[cut:])); p.asked != want {
				t.Errorf("%q cut at %d: %v", output, cut, p.asked)
			}
		}
	}
}

// The colors are those of systemd-nspawn 262, give or take 1 where it rounds.
func TestTint(t *testing.T) {
	for answer, want := range map[string]string{
		"rgb:1e1e/2020/3030": "48;2;12;25;51", "rgb:ffff/ffff/ffff": "48;2;191;212;255", "rgb:0000/0000/0000": "48;2;12;25;51",
		"rgb:3434/3333/3333": "48;2;13;26;52", "rgb:4444/1111/0000": "48;2;17;34;68", "rgb:7f7f/0000/0000": "48;2;31;63;127",
		"rgb:80/80/80": "48;2;96;106;128", "rgb:dddd/eeee/cccc": "48;2;178;198;238", "rgb:f/f/f": "48;2;191;212;255",
	} {
		for _, end := range []string{"\a", stringEnd} {
			color, rest, found := backgroundAnswer([]byte("ty\x1b]11;" + answer + end + "ped"))
			if got := tint(color[0], color[1], color[2]); !found || got != want || string(rest) != "typed" {
				t.Errorf("%s: %v, %s, typed %q; want %s", answer, found, got, rest, want)
			}
		}
	}
	for _, answer := range []string{"", "\x1b]11;rgb:12/34/56", "\x1b]11;rgb:12/34/56\x1b", "\x1b]11;?\a", "\x1b[?6c"} {
		if _, rest, found := backgroundAnswer([]byte(answer)); found || string(rest) != answer {
			t.Errorf("%q: found %v, typed %q", answer, found, rest)
		}
	}
	for _, answer := range []string{"\x1b]11;rgb:12/34\a", "\x1b]11;rgb:12345/1/1\a", "\x1b]11;rgb:-1/1/1\a", "\x1b]11;rgb://\a"} {
		if _, rest, found := backgroundAnswer([]byte(answer)); found || len(rest) > 0 {
			t.Errorf("%q: found %v, typed %q", answer, found, rest)
		}
	}
}

func TestDisplay(t *testing.T) {
	color, none := "44", ""
	const title = "🔵 Container web on host"
	variables := func(assignments ...string) map[string]string {
		v := map[string]string{"TERM": "xterm"}
		for i := 0; i < len(assignments); i += 2 {
			v[assignments[i]] = assignments[i+1]
		}
		return v
	}
	for name, test := range map[string]struct {
		mode       string
		background *string
		variables  map[string]string
		want       Display
	}{
		"by terminal":      {"interactive", nil, variables(), Display{24, 80, false, true, true, "", true, title}},
		"color":            {"interactive", &color, variables(), Display{24, 80, false, true, true, "44", false, title}},
		"no color":         {"interactive", &none, variables(), Display{24, 80, false, true, true, "", false, title}},
		"read-only":        {"read-only", &color, variables(), Display{24, 80, false, true, true, "44", false, title}},
		"read-only, alone": {"read-only", nil, variables(), Display{24, 80, false, true, true, "", false, title}},
		"passive":          {"passive", &color, variables(), Display{24, 80, false, false, false, "", false, ""}},
		"pipe":             {"pipe", &color, variables(), Display{24, 80, false, false, false, "", false, ""}},
		"dumb":             {"interactive", &color, variables("TERM", "dumb"), Display{24, 80, false, true, false, "", false, ""}},
		"NO_COLOR":         {"interactive", &color, variables("NO_COLOR", ""), Display{24, 80, false, true, false, "", false, ""}},
		"no colors":        {"interactive", &color, variables("SYSTEMD_COLORS", "0"), Display{24, 80, false, true, false, "", false, ""}},
		"colors":           {"interactive", &color, variables("SYSTEMD_COLORS", "yes", "NO_COLOR", "1"), Display{24, 80, false, true, true, "44", false, title}},
		"colors, dumb":     {"interactive", &color, variables("SYSTEMD_COLORS", "16", "TERM", "dumb"), Display{24, 80, false, true, true, "44", false, title}},
		"no tint":          {"interactive", nil, variables("SYSTEMD_TINT_BACKGROUND", "no"), Display{24, 80, false, true, true, "", false, title}},
		"no title":         {"interactive", nil, variables("SYSTEMD_ADJUST_TERMINAL_TITLE", "0"), Display{24, 80, false, true, true, "", true, ""}},
		"size":             {"interactive", &none, variables("LINES", "50", "COLUMNS", "132"), Display{50, 132, false, true, true, "", false, title}},
		"bad size":         {"interactive", &none, variables("LINES", "0", "COLUMNS", "70000"), Display{24, 80, false, true, true, "", false, title}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := mustDecide(t, func(_ *settings.Settings, o *Options, h *Host) {
				o.Console, o.Background = test.mode, test.background
				h.Terminal.Input, h.Terminal.Output, h.Terminal.Variables = true, true, test.variables
			})
			if plan.Display != test.want {
				t.Errorf("got  %+v\nwant %+v", plan.Display, test.want)
			}
		})
	}
}

func TestConsoleSize(t *testing.T) {
	plan := mustDecide(t, func(_ *settings.Settings, o *Options, _ *Host) {
		o.ConsoleSize = settings.ConsoleSize{Height: 7, Width: 9}
	})
	if plan.Rows != 7 || plan.Columns != 9 || !plan.Fixed {
		t.Errorf("%+v", plan.Display)
	}
}

// The manual: within 1 s, otherwise forwarded as regular keypresses.
func TestHotkeys(t *testing.T) {
	type typed struct {
		after time.Duration
		keys  string
	}
	for name, test := range map[string]struct {
		typed   []typed
		forward string
		signals []int
	}{
		"kill":            {[]typed{{0, "\x1d"}, {400, "\x1d"}, {500, "\x1d"}}, "\x1d\x1d", []int{9}},
		"reboot":          {[]typed{{0, "a\x1d\x1drb"}}, "a\x1d\x1db", []int{39}},
		"power off":       {[]typed{{0, "\x1d\x1d"}, {900, "p"}}, "\x1d\x1d", []int{38}},
		"twice":           {[]typed{{0, "\x1d\x1dp\x1d\x1d"}, {0, "p"}}, "\x1d\x1d\x1d\x1d", []int{38, 38}},
		"too late":        {[]typed{{0, "\x1d\x1d"}, {1001, "r"}}, "\x1d\x1dr", nil},
		"third too late":  {[]typed{{0, "\x1d"}, {600, "\x1d"}, {600, "\x1d"}}, "\x1d\x1d\x1d", nil},
		"late, then new":  {[]typed{{0, "\x1d"}, {600, "\x1d"}, {600, "\x1d"}, {100, "\x1d\x1d"}}, "\x1d\x1d\x1d\x1d", []int{9}},
		"something else":  {[]typed{{0, "\x1d\x1dx\x1d"}}, "\x1d\x1dx\x1d", nil},
		"between":         {[]typed{{0, "\x1dx\x1d\x1dx"}}, "\x1dx\x1d\x1dx", nil},
		"ordinary keys":   {[]typed{{0, "rp\r\x03"}}, "rp\r\x03", nil},
		"capital letters": {[]typed{{0, "\x1d\x1dR"}}, "\x1d\x1dR", nil},
	} {
		var e escapeDetector
		var forward string
		var signals []int
		now := time.Unix(1, 0)
		for _, part := range test.typed {
			now = now.Add(part.after * time.Millisecond)
			for rest := []byte(part.keys); len(rest) > 0; {
				keys, found, after := e.feed(rest, now)
				forward += string(keys)
				if found != nil {
					signals = append(signals, int(found.signal))
				}
				rest = after
			}
		}
		if forward != test.forward || !slices.Equal(signals, test.signals) {
			t.Errorf("%s: forwarded %q, signals %v; want %q, %v", name, forward, signals, test.forward, test.signals)
		}
	}
}
