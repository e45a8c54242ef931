package kernel

import (
	"slices"
	"strings"
	"testing"
)

func TestModuleProblems(t *testing.T) {
	names := []string{"overlay", "br_netfilter", "xt_nat"}
	for output, want := range map[string]string{
		"": "",
		"modprobe: WARNING: Module br_netfilter not found in directory /lib/modules/6.1.0-1\n": "load kernel module: WARNING: Module br_netfilter not found in directory /lib/modules/6.1.0-1",
		"modprobe: ERROR: could not insert 'xt_nat': Operation not permitted\n":                "load kernel module: ERROR: could not insert 'xt_nat': Operation not permitted",
		"/sbin/modprobe: WARNING: Module overlay not found.\nlibkmod: other\n":                 "load kernel module: WARNING: Module overlay not found.",
		"modprobe: WARNING: Module overlay2 not found.\n":                                      "",
	} {
		var got []string
		for _, problem := range moduleProblems(output, names) {
			got = append(got, problem.Error())
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%q: %q", output, got)
		}
	}
}

func TestListsModule(t *testing.T) {
	const table = "overlay 1 0 - Live 0x0\nnf_nat_extra 2 0\nxt_nat 16384 2 - Live 0x0\n"
	for name, want := range map[string]bool{"overlay": true, "xt_nat": true, "nf_nat": false, "nat": false, "xt_nat_more": false} {
		if got := listsModule(table, name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestParseIDMap(t *testing.T) {
	for table, want := range map[string][]IDExtent{
		"         0          0 4294967295\n":            {{0, 0, 4294967295}},
		"         0       1000          1\n1 10000 5\n": {{0, 1000, 1}, {1, 10000, 5}},
		"": nil, "garbage\n": nil,
	} {
		if got := parseIDMap(table); !slices.Equal(got, want) {
			t.Errorf("%q: %v", table, got)
		}
	}
}
