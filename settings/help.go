package settings

import (
	"fmt"
	"strings"
)

// Help returns the text of --help for the program called name. It is made from the table of keys.
func Help(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s [OPTIONS...] [PATH] [ARGUMENTS...]\n\nSpawn a command or OS in a light-weight container.\n", name)
	for _, section := range []struct{ name, title string }{
		{"", "General"}, {"Exec", "Execution, [Exec] in a .nspawn file"}, {"Files", "Files, [Files]"}, {"Network", "Network, [Network]"},
	} {
		fmt.Fprintf(&b, "\n%s:\n", section.title)
		for o := range eachOption {
			if o.inHelp(section.name) {
				o.writeHelp(&b)
			}
		}
	}
	var missing []string
	for o := range eachOption {
		if !o.supported() {
			missing = append(missing, o.String())
		}
	}
	fmt.Fprintf(&b, "\nNot supported yet:\n")
	line := " "
	for _, o := range missing {
		if len(line)+1+len(o) > 78 {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + o
	}
	b.WriteString(line + "\n")
	return b.String()
}

// supported reports whether the option has an effect.
func (o *option) supported() bool {
	return o.set != nil && !o.pending || o.key != nil && o.key.Supported()
}

// inHelp reports whether the option belongs under the section, "" for options without key.
func (o *option) inHelp(section string) bool {
	if o.help == "" || !o.supported() {
		return false
	}
	if o.key == nil {
		return section == ""
	}
	return o.key.Section == section
}

// writeHelp writes "  -D --directory=PATH  text".
func (o *option) writeHelp(b *strings.Builder) {
	short := "  "
	if o.short != 0 {
		short = "-" + string(rune(o.short))
	}
	long := ""
	if o.long != "" {
		long = "--" + o.long
	}
	switch o.arg {
	case RequiredArgument:
		long += "=" + o.meta
	case OptionalArgument:
		long += "[=" + o.meta + "]"
	}
	left := fmt.Sprintf("  %s %s", short, long)
	if len([]rune(left)) > 30 {
		left += "\n" + strings.Repeat(" ", 30)
	}
	fmt.Fprintf(b, "%-30s %s\n", left, o.help)
}
