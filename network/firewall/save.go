package firewall

import (
	"slices"
	"strings"
)

// Table is the table "filter" as iptables-save(8) prints it.
type Table struct {
	Chains []Chain // in the order of the text
}

// Chain is one of its chains.
type Chain struct {
	Name   string
	Policy string // "ACCEPT" or "DROP"; "-" for a chain that is jumped to
	Rules  []Rule
}

// Rule is the arguments of a rule after the name of its chain: "-i", "ve-+", "-j", "ACCEPT".
type Rule []string

// ParseSave reads what iptables-save(8) printed. Lines that are not understood, and other tables than filter, are left out.
func ParseSave(text string) Table {
	var t Table
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case table != "filter":
		case strings.HasPrefix(line, ":"):
			if name, rest, found := strings.Cut(line[1:], " "); found {
				policy, _, _ := strings.Cut(rest, " ")
				t.Chains = append(t.Chains, Chain{Name: name, Policy: policy})
			}
		case strings.HasPrefix(line, "-A "):
			if words := split(line); len(words) > 2 {
				if chain := t.Chain(words[1]); chain != nil {
					chain.Rules = append(chain.Rules, words[2:])
				}
			}
		}
	}
	return t
}

// Chain returns the chain of that name, or nil.
func (t *Table) Chain(name string) *Chain {
	i := slices.IndexFunc(t.Chains, func(c Chain) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Chains[i]
}

// option returns the value of an option of the rule, such as "--comment".
func (r Rule) option(name string) string {
	if i := slices.Index(r, name); i >= 0 && i+1 < len(r) {
		return r[i+1]
	}
	return ""
}

// split splits a line into words; quotes and backslashes are as iptables-save writes them.
func split(line string) []string {
	var words []string
	var word strings.Builder
	quoted, escaped, begun := false, false, false
	for _, c := range []byte(line) {
		switch {
		case escaped:
			word.WriteByte(c)
			escaped = false
		case c == '\\' && quoted:
			escaped = true
		case c == '"':
			quoted, begun = !quoted, true
		case c == ' ' && !quoted:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}

// join is the reverse of split.
func join(words []string) string {
	quoted := make([]string, len(words))
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for i, word := range words {
		if quoted[i] = word; word == "" || strings.ContainsAny(word, " \t\"'\\") {
			quoted[i] = `"` + escape.Replace(word) + `"`
		}
	}
	return strings.Join(quoted, " ")
}
