package settings

import (
	"fmt"
	"strings"
)

// Topic is a group of options, as systemd-nspawn(1) has them.
type Topic struct {
	Name  string // of --help=TOPIC
	Title string
}

// Topics returns all of them in the order of --help=all.
func Topics() []Topic { return topics[:] }

var topics = [...]Topic{
	{"general", "General"},
	{"image", "Image"},
	{"execution", "Execution"},
	{"identity", "System Identity"},
	{"properties", "Properties"},
	{"users", "User Namespacing"},
	{"network", "Networking"},
	{"security", "Security"},
	{"resources", "Resources"},
	{"integration", "Integration"},
	{"mounts", "Mounts"},
	{"console", "Input/Output"},
	{"credentials", "Credentials"},
}

const (
	overview   = "yes" // the argument of --help without one
	allTopics  = "all"
	topicWords = "general image execution identity properties users network security resources integration mounts console credentials " + allTopics
)

// often are the options of the overview, in its order.
var often = [...]string{"directory", "image", "machine", "boot", "bind", "network-veth", "port", "help"}

// takeHelp takes the name of a topic.
func takeHelp(c *CommandLine, v value) error {
	c.Help = true
	return setOneOf(&c.Topic, v.text, topicWords+" "+overview)
}

// Help returns the text of --help for the program called name: an overview, the options of a topic, or all, as [CommandLine.Topic] says.
// It is made from the tables of keys and options.
func Help(name, about string) string {
	var b strings.Builder
	if about == overview {
		writeOverview(&b, name)
		return b.String()
	}
	options := Options()
	for _, t := range topics {
		if about != allTopics && about != t.Name {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s:\n", t.Title)
		for i := range options {
			if o := &options[i]; o.Topic == t.Name {
				o.writeHelp(&b)
			}
		}
	}
	fmt.Fprintf(&b, "\nSee %s(1), OPTIONS.\n", name)
	return b.String()
}

func writeOverview(b *strings.Builder, name string) {
	fmt.Fprintf(b, "%s [OPTIONS...] [PATH] [ARGUMENTS...]\n\nSpawn a command or OS in a light-weight container.\n\n", name)
	options := Options()
	for _, wanted := range often {
		for i := range options {
			if options[i].Long == wanted {
				options[i].writeHelp(b)
			}
		}
	}
	b.WriteString("\nMore options, --help=TOPIC:\n")
	line := " "
	for word := range strings.FieldsSeq(topicWords) {
		if len(line)+1+len(word) > helpWidth {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + word
	}
	fmt.Fprintf(b, "%s\nSee %s(1), nspawnkit.nspawn(5) and nspawnkit(7).\n", line, name)
}

// The columns of --help.
const (
	helpWidth  = 80
	helpColumn = 30 // where descriptions begin
)

// writeHelp writes "  -D --directory=PATH  text".
func (o *Option) writeHelp(b *strings.Builder) {
	if o.Help == "" {
		return
	}
	left := "    "
	if o.Short != 0 {
		left = "  -" + string(rune(o.Short))
	}
	if o.Long != "" {
		left += " --" + o.Long
	}
	switch {
	case o.Value == "":
	case o.Argument == RequiredArgument:
		left += "=" + o.Value
	default:
		left += "[=" + o.Value + "]"
	}
	help := o.Help
	if !o.Supported {
		help += " (not supported yet)"
	}
	// Runes, as some values end in "…".
	if len([]rune(left)) >= helpColumn {
		b.WriteString(left + "\n")
		left = ""
	}
	b.WriteString(left + strings.Repeat(" ", helpColumn-len([]rune(left))))
	column := helpColumn
	for i, word := range strings.Fields(help) {
		switch {
		case i == 0:
		case column+1+len(word) > helpWidth:
			b.WriteString("\n" + strings.Repeat(" ", helpColumn))
			column = helpColumn
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteString("\n")
}
