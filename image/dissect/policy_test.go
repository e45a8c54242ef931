package dissect

import (
	"cmp"
	"strings"
	"testing"
)

func TestParsePolicy(t *testing.T) {
	for _, text := range []string{"", "-", "*", "~", ContainerPolicy, "root=", "root=-", " root = verity + signed :=open", "=ignore", "root=erofs+squashfs:swap=absent+unused:=unprotected+encrypted+absent"} {
		if _, err := ParsePolicy(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"root": "no rule", "root=verity:": "no rule", "boot=verity": `unknown partition "boot"`, "root=verty": `unknown flag "verty"`,
		"root=open:root=open": "two rules", "=open:=open": "two rules", "root=+": `unknown flag ""`,
	} {
		if _, err := ParsePolicy(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The rules are those that "systemd-analyze image-policy" shows.
func TestPolicyFlags(t *testing.T) {
	for _, test := range []struct{ policy, designator, want string }{
		{"*", Root, "verity+signed+encrypted+unprotected+unused+absent"},
		{"*", Home, "encrypted+unprotected+unused+absent"},
		{"*", "root-verity", "unprotected+unused+absent"},
		{"-", Root, "unused+absent"},
		{"~", Swap, "absent"},
		{"root=verity", Root, "verity"},
		{"root=verity", "root-verity", "unprotected"},
		{"root=verity", "root-verity-sig", "unused+absent"},
		{"root=signed+absent", "root-verity-sig", "unprotected+absent"},
		{"root=encrypted", "root-verity", "unused+absent"},
		{"root=read-only-on", Root, "verity+signed+encrypted+unprotected+unused+absent"},
		{ContainerPolicy, Swap, "unused+absent"},
		{ContainerPolicy, "usr-verity", "unprotected+absent"},
	} {
		p, err := ParsePolicy(test.policy)
		if err != nil {
			t.Fatal(err)
		}
		if got := (p.get(test.designator) & openFlags).String(); got != test.want {
			t.Errorf("%s: %s is %s, want %s", test.policy, test.designator, got, test.want)
		}
	}
}

// The examples of the Version Format Specification, and what systemd tests.
func TestCompareVersions(t *testing.T) {
	order := []string{"~1", "", "ab", "abb", "abc", "0001", "002", "12", "122", "122.9", "123~rc1", "123", "123-a", "123-a.1", "123-a1", "123-a1.1", "123-3", "123-3.1", "123^patch1", "123^1", "123.a-1", "123.1-1", "123a-1", "124"}
	for i, a := range order {
		for j, b := range order {
			if got := compareVersions(a, b); got != cmp.Compare(i, j) {
				t.Errorf("compareVersions(%q, %q) = %d", a, b, got)
			}
		}
	}
}
