package settings

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// FuzzKeys sets one key of the table to any value: nothing crashes, what is accepted carries no control characters, and
// written back it gives the same settings. The key is a number, modulo the length of the table.
func FuzzKeys(f *testing.F) {
	for i, k := range Keys() {
		f.Add(uint(i), k.Default)
		f.Add(uint(i), pendingValues[k.String()])
	}
	known, _, _ := Statements("oracle.nspawn", []byte(oracleLines))
	for _, st := range known {
		for i, k := range Keys() {
			if k.Name == st.Key && k.Section == st.Section {
				f.Add(uint(i), st.Value)
			}
		}
	}
	f.Fuzz(func(t *testing.T, number uint, text string) {
		key := Keys()[number%uint(len(Keys()))]
		file, problems := Parse("web.nspawn", "web", fmt.Appendf(nil, "[%s]\n%s=%s\n", key.Section, key.Name, text))
		if len(problems) > 0 || len(file.assignments) != 1 {
			return
		}
		cmd := CommandLine{Machine: "web", Settings: SettingsOverride}
		first, _ := Combine(cmd, file)
		for _, line := range Effective(cmd, file) {
			again := fmt.Appendf(nil, "[%s]\n%s%s=%s \n", key.Section, strings.Repeat("\n", line.Origin.Line-2), strings.TrimPrefix(line.Key, key.Section+"."), line.Value)
			file, problems := Parse("web.nspawn", "web", again)
			if second, _ := Combine(cmd, file); len(problems) > 0 || !reflect.DeepEqual(first, second) {
				t.Errorf("%s: %v, %+v came back as %+v", again, problems, first, second)
			}
		}
		if hasControl(strings.ReplaceAll(fmt.Sprintf("%+v", first), "\t", "")) {
			t.Errorf("%s=%q: control characters in %+v", &key, text, first)
		}
	})
}

// FuzzDropIns checks that a drop-in goes on where the main file ends: both give what one file with the lines of both gives.
func FuzzDropIns(f *testing.F) {
	addPairsOfExamples(f)
	f.Fuzz(func(t *testing.T, main, dropIn string) {
		one, mainOK := rewritten(main)
		two, dropInOK := rewritten(dropIn)
		if !mainOK || !dropInOK {
			return
		}
		apart, problems := Load(fstest.MapFS{
			"etc/systemd/nspawn/web.nspawn":                {Data: []byte(main)},
			"run/systemd/nspawn/web.nspawn.d/10-fuzz.conf": {Data: []byte(dropIn)},
		}, "web", "")
		joined, same := Parse("web.nspawn", "web", []byte(one+two))
		if got, want := lines(apart), lines(joined); got != want {
			t.Errorf("%q and %q give\n%s, together\n%s\n%v\n%v", main, dropIn, got, want, problems, same)
		}
	})
}

// addPairsOfExamples seeds a fuzz target with a main file and a drop-in.
func addPairsOfExamples(f *testing.F) {
	texts := []string{"", "[Exec]\nEnvironment=A=1\nHostname=a\n", "[Exec]\nEnvironment=\nEnvironment=B=2\nHostname=\n", "[Network]\nPort=80\nZone=a\n",
		"[Network]\nPort=80:81\nBridge=br0\nZone=\n", "[Unit]\nAfter=a\n[Service]\nMemoryMax=1G\nMemoryMax=\n", "[Files]\nBind=/a\nBind=\n[Files", "[Exec]\nParameters=a \\"}
	for _, main := range texts {
		for _, dropIn := range texts {
			f.Add(main, dropIn)
		}
	}
}

// rewritten returns the lines of a text, each with its section, and whether the text is read at all and does not say how
// the container starts: of that the first line of each file counts, not of all together.
func rewritten(text string) (string, bool) {
	statements, _, err := Statements("web.nspawn", []byte(text))
	var b strings.Builder
	for _, st := range statements {
		if st.Key == "Boot" || st.Key == "ProcessTwo" {
			return "", false
		}
		fmt.Fprintf(&b, "[%s]\n%s=%s \n", st.Section, st.Key, st.Value)
	}
	return b.String(), err == nil
}

// lines returns what a file says, without origins.
func lines(file *File) string {
	var b strings.Builder
	for _, line := range Effective(CommandLine{Machine: "web", Settings: SettingsOverride}, file) {
		fmt.Fprintf(&b, "%s=%s\n", line.Key, line.Value)
	}
	sections := map[string][]Assignment{"Unit": file.Unit, "Service": file.Service, "Install": file.Install}
	for _, section := range []string{"Unit", "Service", "Install"} {
		for _, line := range sections[section] {
			fmt.Fprintf(&b, "%s.%s=%s\n", section, line.Key, line.Value)
		}
	}
	return b.String()
}
