package terminal

import (
	"os"
	"strings"
	"testing"
)

func TestStyle(t *testing.T) {
	for _, test := range []struct {
		terminal    bool
		environment string
		want        Style
	}{
		{true, "TERM=xterm", true},
		{true, "TERM=dumb", false},
		{true, "", false},
		{false, "TERM=xterm", false},
		{true, "TERM=xterm NO_COLOR=", false},
		{true, "TERM=xterm NO_COLOR=1", false},
		{true, "TERM=xterm SYSTEMD_COLORS=0", false},
		{false, "SYSTEMD_COLORS=1", true},
		{false, "NO_COLOR=1 SYSTEMD_COLORS=yes", true},
		{false, "SYSTEMD_COLORS=16", true},
		{false, "SYSTEMD_COLORS=256", true},
		{true, "TERM=xterm SYSTEMD_COLORS=maybe", true},
	} {
		lookup := func(name string) (string, bool) {
			for word := range strings.FieldsSeq(test.environment) {
				if value, found := strings.CutPrefix(word, name+"="); found {
					return value, true
				}
			}
			return "", false
		}
		if got := styleOf(test.terminal, lookup); got != test.want {
			t.Errorf("terminal %v, %s: %v", test.terminal, test.environment, got)
		}
	}
}

func TestIsTerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if isTerminal(null) {
		t.Error("/dev/null is a terminal")
	}
	multiplexer, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err) // a machine without pseudo-terminals
	}
	defer multiplexer.Close()
	if !isTerminal(multiplexer) {
		t.Error("a pseudo-terminal is none")
	}
}

func TestHeading(t *testing.T) {
	if got := Style(true).Heading("LINK"); got != "\x1b[0;4mLINK\x1b[0m" {
		t.Errorf("%q", got)
	}
	if got := Style(false).Heading("LINK"); got != "LINK" {
		t.Errorf("%q", got)
	}
}

func TestHelp(t *testing.T) {
	const text = "tool VERB\n\nVerbs:\n  status   Show: what is\n  :\n"
	if got := Style(true).Help(text); got != "tool VERB\n\n\x1b[0;4mVerbs\x1b[0m:\n  status   Show: what is\n  :\n" {
		t.Errorf("%q", got)
	}
	if got := Style(false).Help(text); got != text {
		t.Errorf("%q", got)
	}
}
