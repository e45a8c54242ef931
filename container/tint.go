package container

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"nspawnkit/settings"
)

// Terminal is what is known of the terminal that a container's console is shown on.
type Terminal struct {
	Input, Output bool              // standard input, standard output are terminals
	Variables     map[string]string // of the supervisor's environment, those of [TerminalVariables]
	Hostname      string
}

// terminalVariables are the variables that say what a terminal can do, and what its user likes.
var terminalVariables = [...]string{
	"TERM", "COLORTERM", "NO_COLOR", "SYSTEMD_COLORS", "SYSTEMD_TINT_BACKGROUND", "SYSTEMD_ADJUST_TERMINAL_TITLE", "LINES", "COLUMNS",
}

func gatherTerminal(input, output bool) Terminal {
	t := Terminal{Input: input, Output: output, Variables: make(map[string]string)}
	for _, name := range terminalVariables {
		if value, found := os.LookupEnv(name); found {
			t.Variables[name] = value
		}
	}
	t.Hostname, _ = os.Hostname() // for people
	return t
}

// colors reports whether it shows colors, by "ENVIRONMENT" in systemd-nspawn(1): $SYSTEMD_COLORS, $NO_COLOR, $TERM.
func (t *Terminal) colors() bool {
	value := t.Variables["SYSTEMD_COLORS"]
	if slices.Contains([]string{"16", "256", "24bit"}, value) {
		return true
	}
	wanted, known := boolean(value)
	if known && !wanted {
		return false
	}
	if _, none := t.Variables["NO_COLOR"]; none && !known {
		return false
	}
	return t.Variables["TERM"] != "" && t.Variables["TERM"] != "dumb"
}

// allowed reports whether a variable does not say no.
func (t *Terminal) allowed(variable string) bool {
	wanted, known := boolean(t.Variables[variable])
	return wanted || !known
}

// boolean reads a boolean as systemd.syntax(7) has it.
func boolean(text string) (value, known bool) {
	switch strings.ToLower(text) {
	case "1", "yes", "y", "true", "t", "on":
		return true, true
	case "0", "no", "n", "false", "f", "off":
		return false, true
	}
	return false, false
}

// size returns the rows and columns of a console that no terminal shows.
func (t *Terminal) size() (rows, columns uint16) {
	number := func(name string, otherwise uint16) uint16 {
		if n, err := strconv.ParseUint(t.Variables[name], 10, 16); err == nil && n > 0 {
			return uint16(n)
		}
		return otherwise
	}
	return number("LINES", 24), number("COLUMNS", 80)
}

// titlePrefix is what marks the title of a terminal that shows a container.
const titlePrefix = "🔵 "

// decideDisplay decides how the terminal shows that it is a container's.
func decideDisplay(p *Plan, host *Host) {
	t := &host.Terminal
	p.Rows, p.Columns = t.size()
	if size := p.Options.ConsoleSize; size != (settings.ConsoleSize{}) {
		p.Rows, p.Columns, p.Fixed = size.Height, size.Width, true
	}
	mode := p.Options.Console
	p.Terminal = t.Output && (mode == "interactive" || mode == "read-only")
	switch {
	case !p.Terminal || !t.colors():
		return
	case p.Options.Background != nil:
		p.Background = *p.Options.Background
	default:
		p.Tint = mode == "interactive" && t.Input && t.allowed("SYSTEMD_TINT_BACKGROUND")
	}
	p.Decorated = true
	if t.allowed("SYSTEMD_ADJUST_TERMINAL_TITLE") {
		p.Title = fmt.Sprintf("%sContainer %s on %s", titlePrefix, p.Settings.Machine, t.Hostname)
	}
}

// tintHue is blue, as systemd-nspawn tints its terminals; degrees.
const tintHue = 220

// tint returns the background of a container on a terminal of the given background, 0 to 1 each: as bright, but blue.
func tint(red, green, blue float64) string {
	value := max(red, green, blue)
	saturation := 0.75
	if value > 0.5 {
		saturation = 0.25
	}
	value = max(value, 0.2) // blue must be seen in black
	// HSV to RGB between 180 and 240 degrees.
	const sector = (tintHue - 180) / 60.0
	channel := func(share float64) int { return int(255 * value * share) }
	return fmt.Sprintf("48;2;%d;%d;%d", channel(1-saturation), channel(1-saturation*sector), channel(1))
}

// backgroundAnswer finds the answer to [askBackground] in what came from a terminal: "ESC ] 11;rgb:RR/GG/BB", with up to four digits
// each, ended by BEL or ST. rest is what was typed meanwhile.
func backgroundAnswer(data []byte) (color [3]float64, rest []byte, found bool) {
	const prefix = escape + "]11;rgb:"
	start := bytes.Index(data, []byte(prefix))
	if start < 0 {
		return color, data, false
	}
	text := string(data[start+len(prefix):])
	end := strings.IndexAny(text, "\a"+escape)
	if end < 0 {
		return color, data, false
	}
	after := text[end:]
	if trimmed, found := strings.CutPrefix(after, stringEnd); found {
		after = trimmed
	} else if after[0] == '\a' {
		after = after[1:]
	} else {
		return color, data, false // half of an ST
	}
	rest = append(slices.Clone(data[:start]), after...)
	channels := strings.Split(text[:end], "/")
	if len(channels) != 3 {
		return color, rest, false
	}
	for i, digits := range channels {
		n, err := strconv.ParseUint(digits, 16, 16)
		if err != nil || len(digits) > 4 {
			return color, rest, false
		}
		color[i] = float64(n) / float64(uint(1)<<(4*len(digits))-1)
	}
	return color, rest, true
}
