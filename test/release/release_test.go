// Package release tests what release/ makes.
package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// run runs a program in a folder, with more in its environment, and returns what it prints.
func run(folder string, environment []string, name string, arguments ...string) (string, error) {
	c := exec.Command(name, arguments...)
	c.Dir = folder
	c.Env = append(os.Environ(), environment...)
	out, err := c.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func must(t *testing.T, folder string, environment []string, name string, arguments ...string) string {
	t.Helper()
	out, err := run(folder, environment, name, arguments...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
	return out
}

// nobody is who commits and tags in the tests.
var nobody = []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=x", "GIT_COMMITTER_NAME=x",
	"GIT_COMMITTER_EMAIL=x", "GIT_COMMITTER_DATE=2026-11-27T03:04:05+02:00"}

// tree makes a git tree of the release script and a build that writes $CONTENT.
func tree(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	script, err := os.ReadFile("../../release/release")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder+"/release", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"release/release": string(script),
		"release/build":   "#!/bin/sh\nmkdir -p $2; eval \"echo ${CONTENT:-same}\" >$2/SHA256SUMS\n",
		".gitignore":      "/dist/\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	must(t, folder, nobody, "git", "init", "-q")
	must(t, folder, nobody, "git", "add", ".")
	must(t, folder, nobody, "git", "commit", "-q", "-m", "Begin")
	return folder
}

// TestRelease plays the life of a tree.
func TestRelease(t *testing.T) {
	folder := tree(t)
	for _, step := range []struct {
		commit  string // made before, unless empty
		version string
		content string // of what is built
		refused string // what is said then
	}{
		{version: "", refused: "is no version"},
		{version: "v1.0.0", refused: "is no version"},
		{version: "1.0", refused: "is no version"},
		{version: "1.0.0", content: "$TZ", refused: "differ"},
		{version: "1.0.0", content: "$(umask)", refused: "differ"},
		{version: "1.0.0-rc1"},
		{version: "1.0.0-rc1"},
		{commit: "Mend", version: "1.0.0-rc1", refused: "is another commit"},
		{version: "0.9.9", refused: "is older than v1.0.0-rc1"},
		{version: "1.0.0"},
		{commit: "Mend more", version: "1.0.0-rc2", refused: "is older than v1.0.0"},
		{commit: "And more", version: "1.0.1"},
	} {
		if step.commit != "" {
			must(t, folder, nobody, "git", "commit", "-q", "--allow-empty", "-m", step.commit)
		}
		tags := must(t, folder, nobody, "git", "tag")
		out, err := run(folder, append(nobody, "CONTENT="+step.content), "release/release", step.version)
		if (err != nil) != (step.refused != "") || !strings.Contains(out, step.refused) {
			t.Errorf("%q after %q: %v, %s", step.version, step.commit, err, out)
		}
		if now := must(t, folder, nobody, "git", "tag"); step.refused != "" && now != tags {
			t.Errorf("%q was refused, and yet tagged: %s", step.version, now)
		}
	}
	for tag, want := range map[string]string{
		"v1.0.0-rc1": "nspawnkit 1.0.0-rc1\n\n* Begin",
		"v1.0.0":     "nspawnkit 1.0.0\n\n* Mend",
		"v1.0.1":     "nspawnkit 1.0.1\n\n* Mend more\n* And more",
	} {
		if got := must(t, folder, nobody, "git", "tag", "--list", "--format=%(contents)", tag); got != want {
			t.Errorf("%s says %q, want %q", tag, got, want)
		}
	}
	if err := os.WriteFile(folder+"/new", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := run(folder, nobody, "release/release", "2.0.0"); err == nil || !strings.Contains(out, "not committed") {
		t.Errorf("with a change: %v, %s", err, out)
	}
}

// ownTree returns a git tree with the files of this one, which may be a copy without its history.
func ownTree(t *testing.T) string {
	folder := t.TempDir()
	const script = `tar -C ../.. --exclude=./.git --exclude=./build --exclude=./bin --exclude=./dist -c . | tar -x -C "$0"
cd "$0" && git init -q && git add -A && git commit -qm All`
	must(t, ".", nobody, "sh", "-ec", script, folder)
	return folder
}

// TestBuild builds a commit twice, for this machine, without packages, which have a test of their own.
func TestBuild(t *testing.T) {
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("needs NSPAWNKIT_KERNEL_TESTS=1, and what test/vm/setup installs")
	}
	tree := ownTree(t)
	build := func(environment ...string) string {
		out := t.TempDir()
		must(t, tree, append(environment, "PACKAGES=no", "ARCHITECTURES="+runtime.GOARCH), "release/build", "1.2.3-rc1", out)
		return out
	}
	first := build()
	again := build("TMPDIR="+t.TempDir(), "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "GOFLAGS=-p=1", "VERSION=9")
	if out, err := run(".", nil, "diff", "-r", first, again); err != nil {
		t.Errorf("two builds differ: %v\n%s", err, out)
	}
	must(t, first, nil, "sha256sum", "--strict", "--check", "SHA256SUMS")

	installed := t.TempDir()
	must(t, installed, nil, "tar", "-xzf", first+"/nspawnkit-1.2.3-rc1-"+runtime.GOARCH+".tar.gz")
	if got := must(t, installed, nil, "usr/bin/nspawn-exec", "--version"); got != "nspawnkit 1.2.3~rc1" {
		t.Errorf("it says %q", got)
	}
	materials, err := os.ReadFile(first + "/nspawnkit-1.2.3-rc1.cdx.json")
	for _, part := range []string{`"networkd-lite"`, `"nspawn-exec"`, `"nspawn-generator"`, `"pkg:golang/github.com/google/nftables@v`, `"timestamp"`} {
		if err != nil || !strings.Contains(string(materials), part) {
			t.Errorf("the bill of materials has no %s: %v", part, err)
		}
	}
	sources := t.TempDir()
	must(t, sources, nil, "tar", "-xzf", first+"/nspawnkit-1.2.3-rc1.tar.gz")
	if got := must(t, sources, []string{"GIT_CEILING_DIRECTORIES=" + sources}, "nspawnkit-1.2.3-rc1/packaging/version"); got != "1.2.3~rc1" {
		t.Errorf("the sources are of version %q", got)
	}
}
