package man

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"nspawnkit/settings"
)

var update = flag.Bool("update", false, "write what the table of keys says into nspawnkit.nspawn.5.scd")

const keysPage = "nspawnkit.nspawn.5.scd"

// TestKeys keeps the entries of the manual page and the table of keys together: each key has one, in the order of the
// table, with its value first and its default, option and limits last. What is between is written by hand.
func TestKeys(t *testing.T) {
	data, err := os.ReadFile(keysPage)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, name := range []string{"Exec", "Files", "Network"} {
		heading := "# [" + strings.ToUpper(name) + "] SECTION\n\n"
		before, rest, found := strings.Cut(text, heading)
		body, after, foundEnd := strings.Cut(rest, "\n# ")
		if !found || !foundEnd {
			t.Fatalf("no %q", heading)
		}
		text = before + heading + entries(t, name, body) + "# " + after
	}
	if *update {
		if err := os.WriteFile(keysPage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text != string(data) {
		t.Errorf("%s differs from the table of keys (go test ./man -update writes it)", keysPage)
	}
}

// entries returns the entries that the keys of a section should have, with the prose of those that body has.
func entries(t *testing.T, section, body string) string {
	prose := make(map[string]string)
	for entry := range strings.SplitSeq("\n"+body, "\n*") {
		header, rest, _ := strings.Cut(entry, "\n")
		end := strings.LastIndex(rest, "++\n")
		key, _, found := strings.Cut(header, "=")
		switch {
		case entry == "":
		case end < 0 || !found:
			t.Errorf("[%s]: entry %q has not the form of one", section, header)
		default:
			prose[key] = rest[:end]
		}
	}
	var b strings.Builder
	ours := false
	keys := settings.Keys()
	for i := range keys {
		k := &keys[i]
		if k.Section != section || strings.HasPrefix(k.Name, "Limit") && k.Name != "LimitCPU" {
			continue
		}
		text := prose[k.Name]
		delete(prose, k.Name)
		if len(text) < 20 || !strings.HasSuffix(text, ".") {
			t.Errorf("%s= has no description", k)
		}
		for _, word := range k.Words() {
			if !strings.Contains(k.Type, "BOOL") && !slices.Contains(words(text), word) {
				t.Errorf("%s=: %s is missing", k, word)
			}
		}
		if k.Since == 0 && !ours {
			ours = true
			b.WriteString("## Of nspawnkit only\n\n")
		}
		fmt.Fprintf(&b, "*%s* _%s_\n%s++\n%s\n\n", name(k), value(k), text, facts(k))
	}
	for name := range prose {
		t.Errorf("[%s]: %s is not in the table of keys", section, name)
	}
	return b.String()
}

// name returns the key as the page has it; the limits have one entry.
func name(k *settings.Key) string {
	if k.Name != "LimitCPU" {
		return k.Name + "="
	}
	var names []string
	for _, other := range settings.Keys() {
		if strings.HasPrefix(other.Name, "Limit") {
			names = append(names, other.Name+"=")
		}
	}
	return strings.Join(names, ", ")
}

// value returns what the value is, in ASCII.
func value(k *settings.Key) string {
	return strings.NewReplacer("…", " ...", "_", `\_`).Replace(k.Type)
}

// facts returns the last line of an entry.
func facts(k *settings.Key) string {
	var list []string
	if k.Default != "" {
		list = append(list, "default *"+k.Default+"*")
	}
	if k.Option != "" {
		option := "option *--" + k.Option + "*"
		if k.Short != 0 {
			option += fmt.Sprintf(" (*-%c*)", k.Short)
		}
		list = append(list, option)
	}
	if k.Since > 0 {
		list = append(list, fmt.Sprintf("since systemd %d", k.Since))
	} else {
		list = append(list, "of nspawnkit")
	}
	for _, fact := range []struct {
		is   bool
		text string
	}{
		{k.Privileged, "not from untrusted files"}, {k.Strict, "bad values are refused"},
		{k.Live, "takes effect in a running container"}, {!k.Supported(), "not supported yet"},
	} {
		if fact.is {
			list = append(list, fact.text)
		}
	}
	return "(" + strings.Join(list, "; ") + ")"
}
