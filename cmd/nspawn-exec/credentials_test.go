package main_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// credentialReport is a payload that says all that it sees of its credentials.
const credentialReport = `echo directory $CREDENTIALS_DIRECTORY
for f in /run/host/credentials /run/host/credentials/*; do echo "$f $(stat -c '%F %a %u:%g %s' "$f")"; done
cat /run/host/credentials/* 2>&1; echo
touch /run/host/credentials/new 2>/dev/null && echo writable
while read a b c d point flags rest; do
	case $point in /run/host/credentials) echo "mount $point $flags ${rest#* - }";; esac
done </proc/self/mountinfo`

// covered is what systemd-nspawn 252 says of the mount that it covers with the read-only one.
var covered = regexp.MustCompile(`mount /run/host/credentials rw.*\n`)

// TestCredentials compares what systemd-nspawn passes and how it looks inside.
func TestCredentials(t *testing.T) {
	root := newRoot(t, "web")
	host := t.TempDir()
	writeFile(t, host+"/file", "of a file\x00\n")
	writeFile(t, host+"/own/theirs", "of the unit\n")
	listener, err := net.Listen("unix", host+"/socket")
	must(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("of a socket\n"))
			conn.Close()
		}
	}()
	for name, options := range map[string][]string{
		"none":      nil,
		"value":     {"--set-credential=b:value:\\x00\\n\\u00e4", "--set-credential=a.b:", "--set-credential=a b:\\s\\101"},
		"file":      {"--load-credential=a:" + host + "/file", "--load-credential=null:/dev/null"},
		"socket":    {"--load-credential=a:" + host + "/socket"},
		"own":       {"--load-credential=a:theirs", "--load-credential=theirs:theirs"},
		"variable":  {"--set-credential=a:b", "--setenv=CREDENTIALS_DIRECTORY=/x"},
		"no users":  {"--private-users=no", "--set-credential=a:b"},
		"read-only": {"--read-only", "--set-credential=a:b", hostNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			var results [2]string
			for i, oracle := range []bool{false, true} {
				cmd := nspawn(root, append([]string{"--timezone=off"}, append(options, "/bin/sh", "-c", credentialReport)...)...)
				onHost(t, cmd, "", oracle)
				cmd.Env = append(cmd.Env, "CREDENTIALS_DIRECTORY="+host+"/own")
				r := finish(t, cmd)
				if r.status != 0 {
					t.Errorf("status %d: %s", r.status, r.stderr)
				}
				results[i] = strings.Replace(covered.ReplaceAllString(r.stdout, ""), "ramfs none", "ramfs ramfs", 1) // the source has any name
			}
			if results[0] != results[1] {
				t.Errorf("nspawn-exec:\n%ssystemd-nspawn:\n%s", results[0], results[1])
			}
			if name != "none" && !strings.Contains(results[0], "mount /run/host/credentials ro,nosuid,nodev,noexec,relatime ramfs ramfs ro,mode=700\n") {
				t.Errorf("not mounted: %s", results[0])
			}
		})
	}
	clean(t, root)
}

func TestCredentialsRefused(t *testing.T) {
	root := newRoot(t, "web")
	host := t.TempDir()
	writeFile(t, host+"/large", strings.Repeat("x", 1<<20+1))
	writeFile(t, host+"/half", strings.Repeat("x", 1<<19+1))
	must(t, os.Mkdir(host+"/directory", 0o755))
	listener, err := net.Listen("unix", host+"/dead")
	must(t, err)
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
	for name, test := range map[string]struct {
		options []string
		texts   []string
	}{
		"missing":         {[]string{"--load-credential=a:/no/such"}, []string{"load credentials", "a:/no/such", "no such file"}},
		"directory":       {[]string{"--load-credential=a:" + host + "/directory"}, []string{"a:" + host, "is a directory"}},
		"dead socket":     {[]string{"--load-credential=a:" + host + "/dead"}, []string{host + "/dead", "refused"}},
		"none of its own": {[]string{"--load-credential=a:b"}, []string{"a:b", "$CREDENTIALS_DIRECTORY"}},
		"too large":       {[]string{"--load-credential=a:" + host + "/large"}, []string{"/large", "larger than 1048576 bytes"}},
		"too much": {[]string{"--load-credential=a:" + host + "/half", "--load-credential=b:" + host + "/half"},
			[]string{"credential b", "larger than 1048576 bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, run(t, root, append(test.options, "/bin/echo", "payload runs")...), test.texts...)
			clean(t, root)
		})
	}
	cmd := nspawn(root, "--load-credential=a:none", "/bin/echo", "payload runs")
	cmd.Env = append(cmd.Env, "CREDENTIALS_DIRECTORY="+host)
	refused(t, finish(t, cmd), "a:none", host+"/none", "no such file")
}

// A secret is in the command line that the user typed, and nowhere else on the host.
func TestCredentialsStaySecret(t *testing.T) {
	const secret = "hush-hush"
	root := newRoot(t, "web")
	c := begin(t, root, append([]string{"--set-credential=a:" + secret, "--set-cred", "b:" + secret, "--setenv=A=1"}, sleeper...)...)
	before := c.stderr.String()
	for _, directory := range []string{"/run", "/var/log", root} {
		must(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || path == hostMounts {
				return err
			}
			data, err := os.ReadFile(path)
			if strings.Contains(string(data), secret) {
				t.Errorf("%s has the secret", path)
			}
			return err
		}))
	}
	if r := readRecord(t, "web"); !slices.Contains(r.Arguments, "--setenv=A=1") || len(r.Lines) == 0 {
		t.Errorf("the record is %+v", r)
	}
	if strings.Contains(before, secret) {
		t.Errorf("logged: %s", before)
	}
	r := run(t, root, "--set-credential=a:"+secret+"\\q", "/bin/true")
	refused(t, r, "--set-credential: a: bad escape")
	if strings.Contains(r.stderr, secret) {
		t.Errorf("logged: %s", r.stderr)
	}
}
