package main_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"nspawnkit/settings"
	"nspawnkit/test/precedence"
)

// A file beside the image with everything that grants something: each line gives a warning, and the container is the same as
// without it.
func TestUntrustedFile(t *testing.T) {
	needKernel(t)
	data, err := os.ReadFile("../../settings/testdata/untrusted.nspawn")
	must(t, err)
	statements, _, err := settings.Statements("untrusted.nspawn", data)
	must(t, err)
	unprivileged := make(map[string]bool)
	for _, k := range settings.Keys() {
		unprivileged[k.String()] = !k.Privileged
	}
	var file strings.Builder
	var names []string
	for _, st := range statements {
		if !unprivileged[st.Section+"."+st.Key] {
			file.WriteString("[" + st.Section + "]\n" + st.Key + "=" + st.Value + "\n")
			names = append(names, st.Key)
		}
	}
	row := precedence.Row{Arguments: []string{
		"--boot", "--network-veth", "-U", "--settings=override", "--tmpfs=/mnt/b", "--rlimit=CORE=2", "--rlimit=NOFILE=512", "--oom-score-adjust=200",
		"--system-call-filter=~chroot", "--drop-capability=CAP_SYS_TIME", "--uuid=fedcba9876543210fedcba9876543210",
	}}
	var without map[string]string
	t.Run("without the file", func(t *testing.T) { without = observe(t, row, newWitness(t), program("nspawn-exec")) })
	t.Run("with the file", func(t *testing.T) {
		row.Files = []precedence.File{{Place: "beside", Text: file.String()}}
		root := newWitness(t)
		with := observe(t, row, root, program("nspawn-exec"))
		for i, name := range names {
			if !strings.Contains(with["stderr"], fmt.Sprintf("%s.nspawn:%d: warning: %s= ", root, 2*i+2, name)) {
				t.Errorf("no warning about %s=", name)
			}
		}
		delete(with, "stderr")
		delete(without, "stderr")
		if !maps.Equal(with, without) || with["links"] != "veth" || with["core"] != "2" {
			t.Errorf("with it %q\nwithout %q", with, without)
		}
	})
}
