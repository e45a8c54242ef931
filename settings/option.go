package settings

import (
	"slices"
	"strings"
)

// Option is what others need to know of an option of nspawn-exec: --help, the manual page, completions of shells.
type Option struct {
	Long      string // without dashes; empty: it has only the other form
	Short     byte   // one letter, or 0
	Argument  Argument
	Value     string   // what the argument is, for people: "PATH"; empty without one
	Words     []string // words that the argument can be
	Help      string   // one line; empty for an old name of another option, which --help does not list
	Topic     string   // the topic of --help that it belongs to
	Key       *Key     // what does the same in a .nspawn file, or nil
	Supported bool
}

// String returns the option as the user writes it.
func (o *Option) String() string {
	if o.Long == "" {
		return "-" + string(rune(o.Short))
	}
	return "--" + o.Long
}

// Options returns all options of the command line, by topic and name.
func Options() []Option {
	var list []Option
	for o := range eachOption {
		option := Option{o.long, o.short, o.arg, o.meta, nil, o.help, o.topic, o.key, o.set != nil && !o.pending || o.key != nil && o.key.Supported()}
		if o.arg == NoArgument {
			option.Value = ""
		} else {
			option.Words = valueWords(o.meta, o.words)
		}
		list = append(list, option)
	}
	slices.SortFunc(list, func(a, b Option) int {
		if a.Topic != b.Topic {
			return topicIndex(a.Topic) - topicIndex(b.Topic)
		}
		return strings.Compare(a.sortName(), b.sortName())
	})
	return list
}

func topicIndex(name string) int {
	return slices.IndexFunc(topics[:], func(t Topic) bool { return t.Name == name })
}

func (o *Option) sortName() string { return strings.ToLower(strings.TrimLeft(o.String(), "-")) }

// Words returns words that the value of the key can be, "yes" and "no" for a boolean.
func (k *Key) Words() []string { return valueWords(k.Type, k.words) }

// valueWords returns the words that kind names ("BOOL|auto": yes, no, auto), and those of more.
func valueWords(kind, more string) []string {
	var words []string
	for part := range strings.SplitSeq(kind, "|") {
		switch {
		case part == "BOOL":
			words = append(words, "yes", "no")
		case part != "" && strings.Trim(part, "abcdefghijklmnopqrstuvwxyz") == "":
			words = append(words, part)
		}
	}
	return append(words, strings.Fields(more)...)
}
