package man

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"nspawnkit/settings"
)

const optionsPage = "nspawn-exec.1.scd"

// TestOptions keeps the entries of the manual page and the options of the command line together: each topic of --help has a section, and
// each option an entry there, in the order of --help, with its forms first and its key last. What is between is written by hand.
func TestOptions(t *testing.T) {
	data, err := os.ReadFile(optionsPage)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	before, rest, found := strings.Cut(text, "\n# OPTIONS\n")
	body, after, foundEnd := strings.Cut(rest, "\n# ")
	if !found || !foundEnd {
		t.Fatal("no section OPTIONS")
	}
	intro, body, _ := strings.Cut(body, "\n## ")
	text = before + "\n# OPTIONS\n" + intro + optionEntries(t, "\n## "+body) + "\n# " + after
	if *update {
		if err := os.WriteFile(optionsPage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text != string(data) {
		t.Errorf("%s differs from the table of options (go test ./man -update writes it)", optionsPage)
	}
}

// optionEntries returns the sections that the topics should have, with the prose of those that body has.
func optionEntries(t *testing.T, body string) string {
	prose := make(map[string]string)
	for entry := range strings.SplitSeq(body, "\n*") {
		header, rest, _ := strings.Cut(entry, "\n")
		rest, _, _ = strings.Cut(rest, "\n## ")
		prose[header] = strings.TrimRight(rest, "\n")
	}
	options := settings.Options()
	var b strings.Builder
	for _, topic := range settings.Topics() {
		fmt.Fprintf(&b, "\n## %s\n", topic.Title)
		for i := range options {
			if o := &options[i]; o.Topic == topic.Name {
				header := optionHeader(o)
				fmt.Fprintf(&b, "\n%s\n%s\n", header, optionText(t, o, prose[header[1:]]))
				delete(prose, header[1:])
			}
		}
	}
	for header, text := range prose {
		if strings.HasPrefix(text, "\t") {
			t.Errorf("%s is no option", header)
		}
	}
	return b.String()
}

// optionHeader returns "*-D*, *--directory=*_PATH_".
func optionHeader(o *settings.Option) string {
	var forms []string
	if o.Short != 0 {
		forms = append(forms, fmt.Sprintf("*-%c*", o.Short))
	}
	value := strings.NewReplacer("…", " ...", "_", `\_`).Replace(o.Value)
	switch {
	case o.Long == "":
	case o.Argument == settings.RequiredArgument:
		forms = append(forms, "*--"+o.Long+"=*_"+value+"_")
	case value != "":
		forms = append(forms, "*--"+o.Long+"*[*=*_"+value+"_]")
	default:
		forms = append(forms, "*--"+o.Long+"*")
	}
	return strings.Join(forms, ", ")
}

// optionText returns prose with what comes from the table.
func optionText(t *testing.T, o *settings.Option, prose string) string {
	end := ""
	switch {
	case o.Key != nil:
		end = "(*" + o.Key.Name + "=*)"
	case !o.Supported:
		end = "(not supported yet)"
	}
	if end != "" {
		prose = strings.TrimSuffix(prose, "++\n"+end)
		end = "++\n" + end
	}
	if len(prose) < 15 || !strings.HasSuffix(prose, ".") {
		t.Errorf("%s has no description", o)
	}
	for _, word := range o.Words {
		if o.Key == nil && !slices.Contains(words(prose), word) && o.Supported && o.Value != "BOOL" {
			t.Errorf("%s: %s is missing", o, word)
		}
	}
	return prose + end
}

// words returns the words of a text in the format of scdoc(5), without what marks them.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n*_,;:.()\"", r) })
}
