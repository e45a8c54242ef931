package kernel

import (
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
