package settings

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// randomFiles is how many files TestOracleRandom makes up. They are the same ones every time.
const randomFiles = 400

// TestOracleRandom compares what is made up of the lines of testdata/oracle.nspawn.
func TestOracleRandom(t *testing.T) {
	o := newOracle(t)
	used := make(map[*difference]bool)
	for seed := range uint64(randomFiles) {
		text := newWriter(seed).file()
		o.compare(t, text, used)
	}
}

// writer makes files up.
type writer struct {
	*rand.Rand
	known []Statement // good and bad lines
	b     strings.Builder
}

func newWriter(seed uint64) *writer {
	known, _, err := Statements("oracle.nspawn", []byte(oracleLines))
	if err != nil {
		panic(err)
	}
	return &writer{Rand: rand.New(rand.NewPCG(seed, 262)), known: known}
}

// file returns a file of some sections in any order, some of them more than once.
func (w *writer) file() string {
	if w.IntN(20) == 0 {
		w.b.WriteString("\uFEFF")
	}
	if w.IntN(20) == 0 {
		w.b.WriteString("Boot=yes\n")
	}
	for range 1 + w.IntN(5) {
		section := w.one("Exec", "Files", "Network", "Exec", "Files", "Network", "X-Foreign", "exec", "Strange")
		w.b.WriteString(w.one("", "", " ", "\t") + "[" + section + "]" + w.one("", "", "", " ") + w.lineEnd())
		for range 1 + w.IntN(12) {
			w.line(section)
		}
	}
	text := w.b.String()
	if w.IntN(4) == 0 {
		text = strings.TrimSuffix(text, "\n")
	}
	return text
}

func (w *writer) one(choices ...string) string { return choices[w.IntN(len(choices))] }

// lineEnd returns what ends a line.
func (w *writer) lineEnd() string {
	if w.IntN(15) > 0 {
		return "\n"
	}
	return w.one("\r\n", "\n\r", "\r", "\x00", "\n\n", "\n \t\n", "\x00\n", "\r\r", "\n\x00\r")
}

// line writes an assignment, or what stands between them.
func (w *writer) line(section string) {
	switch w.IntN(40) {
	case 0:
		w.b.WriteString(w.one("# ", ";", "  # \xff ") + w.one("Boot=maybe", "a\\", "é") + w.lineEnd())
	case 1:
		w.b.WriteString(w.one("nosign", "=x", " = ", "[Files", "[Exec] x", "X-Key=1", "Unknown=1", "boot=maybe", "Bo ot=yes", "é=1", "\\", " \\") + w.lineEnd())
	case 2:
		w.b.WriteString("Hostname=" + w.long() + "\n")
	case 3:
		w.b.WriteString(w.one("Boot=\xff", "[Ex\"ec]", "[]") + w.lineEnd())
	default:
		st := w.statement(section)
		key := st.Key + w.one("", "", "", " ", "\t")
		w.b.WriteString(w.one("", "", "", " ") + key + "=" + w.one("", "", "", "  ") + w.broken(st.Value) + w.one("", "", "", " ") + w.lineEnd())
	}
}

// long returns a long value, sometimes one that is longer than a line may be. systemd-nspawn needs time that grows with
// the square of the number of continuations.
func (w *writer) long() string {
	if w.IntN(20) == 0 {
		return strings.Repeat("xyz", maxLine/3+w.IntN(3))
	}
	return strings.Repeat(w.one("x", "x y", "\\\n#c\n"), w.IntN(3000))
}

// statement returns a known assignment of the section, often with another value: changed by a character, joined with
// another one of the key, or that of another key.
func (w *writer) statement(section string) Statement {
	of := func(match func(Statement) bool) Statement {
		for range 10_000 {
			if st := w.known[w.IntN(len(w.known))]; match(st) {
				return st
			}
		}
		return Statement{Section: section, Key: "Key", Value: "value"}
	}
	keys := slices.DeleteFunc(slices.Clone(Keys()), func(k Key) bool { return k.Since == 0 }) // ours: the files do not change with each of them
	key := keys[w.IntN(len(keys))]
	for key.Section != section && slices.ContainsFunc(keys, func(k Key) bool { return k.Section == section }) {
		key = keys[w.IntN(len(keys))]
	}
	sameKey := func(st Statement) bool { return st.Key == key.Name }
	st := of(sameKey)
	st.Key = key.Name
	switch w.IntN(8) {
	case 0, 1:
		st.Value = w.mutate(st.Value)
	case 2:
		st.Value += w.one(" ", ",", ":", ";", "  ", "") + of(sameKey).Value
	case 3:
		st.Value = of(func(Statement) bool { return true }).Value
	}
	return st
}

// mutate changes a value in one place.
func (w *writer) mutate(text string) string {
	i := w.IntN(len(text) + 1)
	switch insert := w.one(":", ",", " ", "\t", "\\", "\"", "'", "-", "+", "~", "/", ".", "..", "0", "1", "9", "x", "A", "%", "=", "é", "\x7f", "\v", "\x01"); {
	case i == len(text) || w.IntN(3) > 0:
		return text[:i] + insert + text[i:]
	case w.IntN(2) == 0:
		return strings.ToValidUTF8(text[:i]+text[i+1:], "")
	default:
		return strings.ToValidUTF8(text[:i]+insert+text[i+1:], "")
	}
}

// broken returns a value as it stands, or on two lines, where the line break stands for a space.
func (w *writer) broken(text string) string {
	before, after, found := strings.Cut(text, " ")
	if !found || w.IntN(4) > 0 || strings.HasSuffix(before, "\\") || after == "" || strings.ContainsAny(after[:1], "#;") {
		return text
	}
	return before + "\\\n" + w.one("", "# comment\n", ";\n", "\t") + after
}

// TestWriter has the made-up files set every key, well and badly.
func TestWriter(t *testing.T) {
	good, bad := make(map[string]bool), make(map[string]bool)
	for seed := range uint64(randomFiles) {
		text := newWriter(seed).file()
		statements, _, _ := Statements("web.nspawn", []byte(text))
		verdict := readOurs(text)
		for _, st := range statements {
			if _, isBad := verdict.bad[st.Origin.Line]; isBad {
				bad[st.Section+"."+st.Key] = true
			} else {
				good[st.Section+"."+st.Key] = true
			}
		}
	}
	for _, k := range Keys() {
		if k.Since > 0 && !(good[k.String()] && bad[k.String()]) {
			t.Errorf("%s: good %v, bad %v", &k, good[k.String()], bad[k.String()])
		}
	}
}
