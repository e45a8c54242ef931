package main_test

import (
	"fmt"
	"strings"
	"testing"
)

// machineIDReport is a payload that says all that it is told of its ID, and what its own file has.
const machineIDReport = `echo $container_uuid; cat /run/host/container-uuid; cat /etc/machine-id 2>/dev/null; echo`

// TestMachineIDSources compares which ID counts, that of the image, that of the settings or a random one, and that the file of
// the image stays as it is.
func TestMachineIDSources(t *testing.T) {
	const given = "fedcba9876543210fedcba9876543210"
	for name, test := range map[string]struct {
		image   string
		options []string
	}{
		"own": {guestID + "\n", nil}, "own and given": {guestID + "\n", []string{"--uuid=" + given}}, "given": {"", []string{"--uuid=" + given}},
		"none": {"", nil}, "empty": {"\n", nil}, "first boot": {"uninitialized\n", nil}, "first boot and given": {"uninitialized\n", []string{"--uuid=" + given}},
		"with dashes": {"", []string{"--uuid=fedcba98-7654-3210-fedc-ba9876543210"}},
		"read-only":   {"uninitialized\n", []string{"--read-only"}}, "ephemeral": {guestID + "\n", []string{"--ephemeral"}},
		"volatile state": {guestID + "\n", []string{"--volatile=state"}}, "volatile": {guestID + "\n", []string{"--volatile=yes"}},
		"volatile and given": {guestID + "\n", []string{"--volatile=yes", "--uuid=" + given}},
		"of the host":        {hostID + "\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := newMergedRoot(t, "web")
			var results [2]string
			for i, isOracle := range []bool{false, true} {
				command(t, "rm", "-f", root+"/etc/machine-id")
				if test.image != "" {
					writeFile(t, root+"/etc/machine-id", strings.TrimPrefix(test.image, "\n"))
				}
				arguments := append(test.options, "--private-users=no", "--timezone=off", "--resolv-conf=off", "--private-network", "--link-journal=no", "/bin/sh", "-c", machineIDReport)
				cmd := nspawn(root, arguments...)
				if isOracle {
					cmd = oracle(t, root, arguments...)
				}
				r := finish(t, cmd)
				if r.status != 0 {
					t.Errorf("status %d: %s", r.status, r.stderr)
				}
				lines := strings.Split(r.stdout, "\n")
				for j, line := range lines {
					if id := strings.ReplaceAll(line, "-", ""); len(id) == 32 && id != guestID && id != given && id != hostID {
						lines[j] = fmt.Sprintf("random, version %c", id[12])
					}
				}
				results[i] = strings.Join(lines, "\n") + describeMachineID(t, root)
			}
			if results[0] != results[1] {
				t.Errorf("nspawn-exec:\n%s\nsystemd-nspawn:\n%s", results[0], results[1])
			}
			t.Log(results[0])
		})
	}
}

func describeMachineID(t *testing.T, root string) string {
	t.Helper()
	return command(t, "sh", "-c", "cd "+root+"/etc; [ ! -e machine-id ] || { stat -c '%a %u:%g %s' machine-id; cat machine-id; }")
}
