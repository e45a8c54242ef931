package main_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// runHostReport is a payload that says all of /run/host, and what it may do there.
const runHostReport = `cd /run/host; for f in $(find . | sort); do
		stat -c '%n %F %a %u:%g' $f; [ -f $f -a -s $f ] && { echo "$f:"; cat $f; echo; }
		[ -d $f ] && touch $f/new 2>/dev/null && { rm $f/new; echo "$f is writable"; }
	done; true`

// runHostDifferences are lines of systemd-nspawn 252 and what is ours instead, see "What is otherwise inside" of docs/differences.md.
var runHostDifferences = map[string]string{
	"./container-manager regular file 644 0:0": "./container-manager regular file 444 0:0",
	"./container-uuid regular file 644 0:0":    "./container-uuid regular file 444 0:0",
	"./inaccessible directory 755 0:0":         "./inaccessible directory 555 0:0",
	"./notify socket 755 0:0":                  "./notify socket 200 0:0",
}

// TestRunHost compares what the Container Interface promises in /run/host with what systemd-nspawn has there.
func TestRunHost(t *testing.T) {
	root := newRoot(t, "web")
	writeFile(t, root+"/etc/machine-id", guestID+"\n")
	for name, options := range map[string][]string{
		"plain": nil, "host network": {hostNetwork}, "read-only": {"--read-only"}, "credentials": {"--set-credential=a:b"},
	} {
		t.Run(name, func(t *testing.T) {
			var results [2][]string
			for i, oracle := range []bool{true, false} {
				cmd := nspawn(root, append(options, "--private-users=no", "--timezone=off", "/bin/sh", "-c", runHostReport)...)
				onHost(t, cmd, "", oracle)
				r := finish(t, cmd)
				if r.status != 0 {
					t.Errorf("status %d: %s", r.status, r.stderr)
				}
				results[i] = strings.Split(r.stdout, "\n")
			}
			want, got := results[0], results[1]
			for i, line := range want {
				if changed, ok := runHostDifferences[line]; ok {
					want[i] = changed
				}
			}
			got = slices.DeleteFunc(got, func(line string) bool { return strings.HasPrefix(line, "./unix-export") })
			if !slices.Equal(got, want) {
				t.Errorf("nspawn-exec:\n%s\nsystemd-nspawn:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// A host without os-release is no reason not to start, as the text of systemd-nspawn says, which fails (252).
func TestHostWithoutRelease(t *testing.T) {
	root := newRoot(t, "web")
	const script = `for directory in /etc /usr/lib; do
			mkdir -p /run/over/upper /run/over/work; mount -t tmpfs test /run/over; mkdir /run/over/upper /run/over/work
			mount -t overlay -o lowerdir=$directory,upperdir=/run/over/upper,workdir=/run/over/work test $directory; rm -f $directory/os-release
		done
		echo 5f0e4b1c9a3d4e6f8071829304a5b6c7 >/etc/machine-id
		`
	cmd := nspawn(root, "--timezone=off", "--resolv-conf=off", "/bin/sh", "-c", "echo runs; echo $container_host_id; ls /run/host")
	onHost(t, cmd, script, false)
	r := finish(t, cmd)
	if r.status != 0 || !strings.HasPrefix(r.stdout, "runs\n\n") || !strings.Contains(r.stderr, "no os-release file") {
		t.Errorf("status %d, %q: %s", r.status, r.stdout, r.stderr)
	}
	if strings.Contains(r.stdout, "os-release") {
		t.Errorf("an empty file stands for it: %q", r.stdout)
	}
	must(t, os.RemoveAll("/run/over"))
	clean(t, root)
}
