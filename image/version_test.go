package image

import (
	"cmp"
	"os"
	"os/exec"
	"testing"
)

// ordered are pairs of an older and a newer version.
func ordered() [][2]string {
	return [][2]string{
		{"", "0"}, {"~rc1", ""}, {"1~rc1", "1"}, {"1~rc1", "1~rc2"}, {"1~", "1~~"}, {"123.a", "123.a.b"}, {"123.a", "123.b"}, {"1", "1.0"},
		{"1.2", "1.10"}, {"9", "10"}, {"7.5.13", "7.5.14"}, {"7.5.14", "7.6.0"}, {"1-2", "1.1-1"}, {"1-1", "1-2"}, {"1", "1-1"}, {"1-1", "1^1"},
		{"1^1", "1.1"}, {"a", "1"}, {"abc", "abcd"}, {"ABC", "abc"}, {"1a", "1b"}, {"1.a", "1.1"}, {"99999999999999999998", "99999999999999999999"},
		{"123.45-67.88", "123.45-67.89"}, {"0-0", "0-1"}, {"1.0-1", "1.0.1"}, {"a-0", "a1"}, {"45.2", "46~rc1"},
	}
}

// equal are pairs of versions of which none is newer.
func equal() [][2]string {
	return [][2]string{{"", ""}, {"1.02", "1.2"}, {"00123", "123"}, {"_1", "1"}, {"1_,+2", "1+2"}, {"é1", "1"}, {"a.1", "a.1"}, {"0", "000"}}
}

func TestCompareVersions(t *testing.T) {
	check := func(a, b string, want int) {
		t.Helper()
		if got := cmp.Compare(CompareVersions(a, b), 0); got != want {
			t.Errorf("%q against %q: %d", a, b, got)
		}
	}
	for _, pair := range ordered() {
		check(pair[0], pair[1], -1)
		check(pair[1], pair[0], 1)
	}
	for _, pair := range equal() {
		check(pair[0], pair[1], 0)
		check(pair[1], pair[0], 0)
	}
}

// systemd says the same.
func TestCompareVersionsOracle(t *testing.T) {
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") == "" {
		t.Skip("set NSPAWNKIT_KERNEL_TESTS=1 to run it")
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, pair := range append(ordered(), equal()...) {
		all = append(all, pair[0], pair[1])
	}
	for i, a := range all {
		for _, b := range all[i:min(len(all), i+2)] {
			command := exec.Command(analyze, "compare-versions", "--", a, b)
			_ = command.Run()
			orders := map[int]int{0: 0, 11: 1, 12: -1}
			want, ok := orders[command.ProcessState.ExitCode()]
			if got := cmp.Compare(CompareVersions(a, b), 0); !ok || got != want {
				t.Errorf("%q against %q: %d, systemd: %s", a, b, got, command.ProcessState)
			}
		}
	}
}

// FuzzCompareVersions checks what any order must hold.
func FuzzCompareVersions(f *testing.F) {
	for _, pair := range append(ordered(), equal()...) {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		order := cmp.Compare(CompareVersions(a, b), 0)
		if back := cmp.Compare(CompareVersions(b, a), 0); back != -order {
			t.Errorf("%q against %q: %d, back: %d", a, b, order, back)
		}
		if CompareVersions(a, a) != 0 {
			t.Errorf("%q is not itself", a)
		}
	})
}
