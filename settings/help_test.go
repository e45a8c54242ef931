package settings

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// helpOf returns what the command line makes --help print.
func helpOf(t *testing.T, argument string) string {
	t.Helper()
	c, err := ParseCommandLine([]string{argument, "--no-such-option"})
	if err != nil || !c.Help {
		t.Fatalf("%s: %v, help %v", argument, err, c.Help)
	}
	return Help("nspawn-exec", c.Topic)
}

func TestHelpText(t *testing.T) {
	golden(t, "help.txt", helpOf(t, "--help"))
	golden(t, "help-all.txt", helpOf(t, "--help=all"))
}

// TestHelpFits: the overview and each topic fit a screen of 24 lines with the prompt below it, and no line is cut.
func TestHelpFits(t *testing.T) {
	arguments := []string{"--help", "-h"}
	for _, topic := range topics {
		arguments = append(arguments, "--help="+topic.Name)
	}
	for _, argument := range arguments {
		if lines := strings.Count(helpOf(t, argument), "\n"); lines > 23 {
			t.Errorf("%s prints %d lines", argument, lines)
		}
	}
	for line := range strings.Lines(helpOf(t, "--help") + helpOf(t, "--help=all")) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("longer than 80 columns: %s", line)
		}
	}
}

// TestHelpTopics finds each option under its topic, and all under "all".
func TestHelpTopics(t *testing.T) {
	all := helpOf(t, "--help=all")
	if got := strings.Fields(topicWords); len(got) != len(topics)+1 {
		t.Fatalf("topics %q", got)
	}
	for i, name := range strings.Fields(topicWords) {
		if name == allTopics {
			continue
		}
		if topics[i].Name != name {
			t.Fatalf("%s is not the topic %q", name, topics[i].Name)
		}
		if text := helpOf(t, "--help="+name); !strings.HasPrefix(text, topics[i].Title+":\n") {
			t.Errorf("%s: %s", name, text)
		}
	}
	options := Options()
	for i := range options {
		o := &options[i]
		if topicIndex(o.Topic) < 0 {
			t.Errorf("%s has no topic", o)
			continue
		}
		listed := strings.Contains(helpOf(t, "--help="+o.Topic), " "+o.String()) && strings.Contains(all, " "+o.String())
		if listed != (o.Help != "") {
			t.Errorf("%s: listed %v, help %q", o, listed, o.Help)
		}
	}
	if _, err := ParseCommandLine([]string{"--help=nothing"}); err == nil || !strings.Contains(err.Error(), "not one of general, image") {
		t.Errorf("--help=nothing: %v", err)
	}
}

// TestWords: what is offered for a value is one, and the words of a mode are all of them.
func TestWords(t *testing.T) {
	options := Options()
	for i := range options {
		o := &options[i]
		for _, word := range o.Words {
			if _, err := ParseCommandLine([]string{o.String() + "=" + word}); err != nil && o.Supported {
				t.Error(err)
			}
		}
	}
	for _, k := range Keys() {
		for _, word := range k.Words() {
			if err := k.check(new(Settings), value{text: word}); err != nil {
				t.Errorf("%s=%s: %v", &k, word, err)
			}
		}
		if strings.Contains(k.Type, "MODE") && len(k.Words()) < 3 {
			t.Errorf("%s has no words", &k)
		}
	}
}
