package main

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// The terminal in the picture, in characters, and pixels.
const (
	columns, rows = 100, 27
	fontSize      = 14
	lineHeight    = 19
	margin        = 14
	width         = columns*fontSize*6/10 + 2*margin // fixed fonts are about 0.6 as wide as high, and are told to be it
	height        = rows*lineHeight + 2*margin
)

// Pauses: the virtual machine that plays the demo is emulated and slow, and who looks wants to read what is there.
const (
	readingTime  = 1500 * time.Millisecond // before the next command, at least
	longestPause = 2500 * time.Millisecond
	lastPause    = 6 * time.Second // before it begins again
)

// row is one line of the terminal.
type row struct {
	at    time.Duration // when it appears
	class string        // of the style sheet
	text  string
}

// draw returns the picture: all rows below each other, and a window that moves down over them, by CSS alone since scripts do not
// run in an image. Who wants no motion sees the end.
func draw(r recording) string {
	list := layout(r)
	total := lastPause
	if len(list) > 0 {
		total += list[len(list)-1].at
	}
	var text, frames strings.Builder
	for i, l := range list {
		if l.text != "" {
			fmt.Fprintf(&text, "<text y=\"%d\" textLength=\"%d\" lengthAdjust=\"spacingAndGlyphs\" class=\"%s\">%s</text>\n",
				(rows+i+1)*lineHeight-5, utf8.RuneCountInString(l.text)*fontSize*6/10, l.class, html.EscapeString(l.text))
		}
		if i+1 < len(list) && list[i+1].at == l.at {
			continue // they appear together
		}
		fmt.Fprintf(&frames, "%.2f%%{transform:translateY(%dpx)}\n", 100*l.at.Seconds()/total.Seconds(), -(i+1)*lineHeight)
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d">
<title>nspawnkit: one file, one command, a container</title>
<style>
text{font:%[3]dpx ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;fill:#c9d1d9}
.command{fill:#7ee787;font-weight:bold}
.note{fill:#8b949e;font-style:italic}
.ok{fill:#79c0ff}
#rows{transform:translateY(%[4]dpx);animation:play %.2[5]fs step-end infinite}
@media (prefers-reduced-motion:reduce){#rows{animation:none}}
@keyframes play{
0%%{transform:translateY(0)}
%[6]s}
</style>
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
<svg x="%[7]d" y="%[7]d" width="%[8]d" height="%[9]d"><g id="rows" xml:space="preserve">
%[10]s</g></svg>
</svg>
`, width, height, fontSize, -len(list)*lineHeight, total.Seconds(), frames.String(), margin, width-margin, height-2*margin, text.String())
}

// layout returns the rows of a recording: what test/vm/run prints of the demo itself, with its pauses shortened.
func layout(r recording) []row {
	var list []row
	var now, before time.Duration
	begun := false
	for _, l := range r {
		class, text := classify(l.text)
		begun = begun || class == "command"
		if !begun {
			before = l.at
			continue // what is said of the virtual machine
		}
		if class == "" {
			break
		}
		pause := min(l.at-before, longestPause)
		if class == "command" && len(list) > 0 {
			pause = max(pause, readingTime)
		}
		if len(list) > 0 {
			now += pause
		}
		before = l.at
		for _, part := range wrap(text) {
			list = append(list, row{now, class, part})
		}
	}
	return list
}

var note = regexp.MustCompile(`^ {5} *\d+ s  (.*)$`)

// classify says what a line of test/vm/run is: "command", "output", "note" or "ok"; nothing where its own words begin again.
func classify(text string) (class, shown string) {
	switch found := note.FindStringSubmatch(text); {
	case found != nil:
		return "note", found[1]
	case strings.HasPrefix(text, "ok   "):
		_, what, _ := strings.Cut(text, ": ")
		return "ok", "✓ " + what
	case strings.HasPrefix(text, "  # "):
		return "command", text[2:]
	case strings.HasPrefix(text, "  ") || text == "":
		return "output", strings.TrimPrefix(text, "  ")
	}
	return "", ""
}

// wrap cuts a line where the terminal ends. Characters count as one column each.
func wrap(text string) []string {
	var parts []string
	rest := []rune(strings.TrimRight(text, " "))
	for len(rest) > columns {
		parts, rest = append(parts, string(rest[:columns])), rest[columns:]
	}
	return append(parts, string(rest))
}
