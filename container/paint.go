package container

import (
	"strings"
)

// painter changes what a container prints on its way to a terminal: its background has a color, also where the container asks for the
// terminal's own, and titles that the container sets show that it is one. The zero painter changes nothing.
type painter struct {
	background string // parameters of SGR (ECMA-48, 8.3.117); empty: the terminal's own
	prefix     string // of titles; empty: they are not changed
	asked      bool   // what was printed makes a terminal answer, as if the answer was typed

	state    paintState
	sequence []byte // parameters of the control sequence, or the text of the command, that is being read
}

type paintState int

const (
	paintText paintState = iota
	paintEscape
	paintControl       // after ESC [
	paintCommand       // after ESC ]
	paintCommandEscape // after ESC in one
)

// maxSequence bounds what is kept of a sequence; longer ones are passed on as they are.
const maxSequence = 256

const (
	escape          = "\x1b"
	eraseLine       = escape + "[K"
	pushTitle       = escape + "[22;2t"
	popTitle        = escape + "[23;2t"
	stringEnd       = escape + `\`
	askBackground   = escape + "]11;?" + stringEnd
	askStatus       = escape + "[5n" // DSR
	statusAnswer    = escape + "[0n"
	enquiry         = '\x05'
	resetTerminal   = escape + "[!p" + escape + "]104" + stringEnd + escape + "[0m" + escape + "[?7h"
	eraseFromBottom = escape + "[1G" + escape + "[0J"
)

// begin is what is printed first.
func (p *painter) begin(title string) string {
	var text strings.Builder
	if p.background != "" {
		text.WriteString(p.color() + eraseLine)
	}
	if title != "" {
		text.WriteString(pushTitle + escape + "]2;" + title + stringEnd)
	}
	return text.String()
}

// end is what is printed last: the terminal as it was.
func (p *painter) end(title string) string {
	if title != "" {
		return popTitle + resetTerminal + eraseFromBottom
	}
	return resetTerminal + eraseFromBottom
}

func (p *painter) color() string { return escape + "[" + p.background + "m" }

// paint appends what is printed for a part of the output.
func (p *painter) paint(painted, output []byte) []byte {
	for _, c := range output {
		before, after := p.step(c)
		painted = append(painted, before...)
		painted = append(painted, c)
		painted = append(painted, after...)
	}
	return painted
}

// step takes one byte and returns what is printed before and after it.
func (p *painter) step(c byte) (before, after string) {
	switch p.state {
	case paintText:
		return "", p.text(c)
	case paintEscape:
		p.state, p.sequence = paintText, p.sequence[:0]
		switch c {
		case '[':
			p.state = paintControl
		case ']':
			p.state = paintCommand
		case 'P', '_', 'Z': // DCS, APC, DECID
			p.asked = true
		case 'c': // RIS
			return "", p.repaint()
		default:
			return "", p.text(c)
		}
	case paintControl:
		if c >= 0x20 && c <= 0x3f {
			p.keep(c)
			return "", ""
		}
		return p.endControl(c)
	case paintCommand:
		switch {
		case c == '\a':
			p.state = paintText
			return "", p.endCommand()
		case c == escape[0]:
			p.state = paintCommandEscape
		case c < ' ':
			p.state = paintText
		default:
			p.keep(c)
		}
	case paintCommandEscape:
		if c == '\\' {
			p.state = paintText
			return "", p.endCommand()
		}
		p.state = paintEscape
		return p.step(c)
	}
	return "", ""
}

// text takes a byte that belongs to no sequence. New lines have the background of the cell that they begin with.
func (p *painter) text(c byte) (after string) {
	switch c {
	case escape[0]:
		p.state = paintEscape
	case '\r', '\n':
		return p.repaint()
	case enquiry:
		p.asked = true
	}
	return ""
}

func (p *painter) repaint() string {
	if p.background == "" {
		return ""
	}
	return p.color()
}

// keep keeps a byte of a sequence, or gives the sequence up.
func (p *painter) keep(c byte) {
	if len(p.sequence) == maxSequence {
		p.state = paintText
		return
	}
	p.sequence = append(p.sequence, c)
}

func (p *painter) endControl(c byte) (before, after string) {
	p.state = paintText
	p.asked = p.asked || asksTerminal(c, string(p.sequence))
	switch {
	case p.background == "":
	case c == 'm' && resetsBackground(string(p.sequence)):
		return ";" + p.background, ""
	case c == 'p' && string(p.sequence) == "!": // DECSTR
		return "", p.color()
	}
	return "", p.text(c)
}

// asksTerminal reports whether a terminal answers to a control sequence: DA, DSR and their kin. Those that look like them and are not
// answered may count, too.
func asksTerminal(final byte, parameters string) bool {
	switch final {
	case 'c', 'n', 'x', 'y', 'w':
		return true
	case 't':
		return !strings.HasPrefix(parameters, "22") && !strings.HasPrefix(parameters, "23") // titles
	case 'p', 'q', 'u':
		return strings.ContainsAny(parameters, "$>?")
	}
	return false
}

func (p *painter) endCommand() string {
	p.asked = p.asked || strings.Contains(string(p.sequence), "?")
	return p.retitle()
}

// retitle sets the title that the container has set (OSC 0) once more, with the prefix.
func (p *painter) retitle() string {
	title, found := strings.CutPrefix(string(p.sequence), "0;")
	if !found || p.prefix == "" {
		return ""
	}
	return escape + "]0;" + p.prefix + title + stringEnd
}

// resetsBackground reports whether parameters of SGR leave the background as the terminal's own.
func resetsBackground(parameters string) bool {
	reset := false
	fields := strings.Split(parameters, ";")
	for i := 0; i < len(fields); i++ {
		switch fields[i] {
		case "", "0", "00", "49":
			reset = true
		case "40", "41", "42", "43", "44", "45", "46", "47", "100", "101", "102", "103", "104", "105", "106", "107":
			reset = false
		case "38", "48", "58":
			reset = reset && fields[i] != "48"
			i += colorLength(fields[i+1:])
		}
	}
	return reset
}

// colorLength returns how many parameters follow the one that announces a color: 5;INDEX or 2;RED;GREEN;BLUE.
func colorLength(fields []string) int {
	switch {
	case len(fields) == 0:
		return 0
	case fields[0] == "5" || fields[0] == "05":
		return 2
	case fields[0] == "2" || fields[0] == "02":
		return 4
	}
	return 1
}
