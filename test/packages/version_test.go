// Package packages tests what packaging/ makes.
package packages

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// isOlder asks the package manager of each kind that is installed whether its version of before is not newer than that of after.
func isOlder(t *testing.T, before, after string) {
	t.Helper()
	database, withoutTilde := t.TempDir(), strings.NewReplacer("~", "")
	local := filepath.Join(database, "local", "x-"+withoutTilde.Replace(before)+"-1")
	description := "%NAME%\nx\n\n%VERSION%\n" + withoutTilde.Replace(before) + "-1\n"
	if err := errors.Join(os.MkdirAll(local, 0o755), os.WriteFile(local+"/../ALPM_DB_VERSION", []byte("9\n"), 0o644),
		os.WriteFile(local+"/desc", []byte(description), 0o644), os.WriteFile(local+"/files", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, call := range [][]string{
		{"dpkg", "--compare-versions", before, "le", after},
		{"rpm", "--eval", fmt.Sprintf("%%{lua: if rpm.vercmp(%q, %q) > 0 then error() end}", before, after)},
		{"pacman", "--dbpath", database, "-T", "x<=" + withoutTilde.Replace(after) + "-1"},
	} {
		if _, err := exec.LookPath(call[0]); err != nil {
			continue
		}
		if out, err := exec.Command(call[0], call[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%q is not older than %q: %s: %v\n%s", before, after, call[0], err, out)
		}
	}
}

// TestVersion plays the life of a tree; each version must be newer than the one before.
func TestVersion(t *testing.T) {
	folder := t.TempDir()
	environment := append(os.Environ(), "GIT_DIR="+folder+"/.git", "GIT_WORK_TREE="+folder, "GIT_CONFIG_GLOBAL=/dev/null", "VERSION=",
		"GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=x", "GIT_COMMITTER_NAME=x", "GIT_COMMITTER_EMAIL=x", "GIT_COMMITTER_DATE=2026-11-27T03:04:05+02:00")
	command := func(name string, arguments ...string) (string, error) {
		c := exec.Command(name, arguments...)
		c.Env = environment
		out, err := c.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	commit := []string{"commit", "-q", "--allow-empty", "-m", "x"}
	if out, err := command("git", "init", "-q", folder); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	if out, err := command("../../packaging/version"); err == nil || !strings.Contains(out, "VERSION=") {
		t.Errorf("without a commit: %v, %s", err, out)
	}
	before := ""
	for _, step := range []struct {
		git  []string
		want string // HASH stands for the commit's
	}{
		{commit, "0~git20261127010405.HASH"},
		{[]string{"tag", "v0.1.0-rc1"}, "0.1.0~rc1"},
		{commit, "0.1.0~rc1+1.gHASH"},
		{[]string{"tag", "v0.1.0"}, "0.1.0"},
		{[]string{"tag", "not-a-version"}, "0.1.0"},
		{commit, "0.1.0+1.gHASH"},
		{[]string{"tag", "v0.1.1"}, "0.1.1"},
	} {
		if out, err := command("git", step.git...); err != nil {
			t.Fatalf("git %v: %v\n%s", step.git, err, out)
		}
		hash, _ := command("git", "rev-parse", "--short", "HEAD")
		got, err := command("../../packaging/version")
		if want := strings.ReplaceAll(step.want, "HASH", hash); err != nil || got != want {
			t.Errorf("after git %v: %q, %v, want %q", step.git, got, err, want)
		}
		if before != "" {
			isOlder(t, before, got)
		}
		before = got
		if got, err := command("../../packaging/version", "--pacman"); got != strings.ReplaceAll(before, "~", "") {
			t.Errorf("after git %v, for pacman: %q, %v", step.git, got, err)
		}
	}
	if err := os.WriteFile(folder+"/new", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := command("git", "add", "new"); err != nil {
		t.Fatal(out)
	}
	if got, err := command("../../packaging/version"); err != nil || got != "0.1.1+dirty" {
		t.Errorf("with a change: %q, %v", got, err)
	}
}

func TestVersionOfEnvironment(t *testing.T) {
	for given, valid := range map[string]bool{"1.0": true, "2.0~rc1+3.gabc": true, "v1": false, "1.0-1": false, "1 0": false, "1.0\n": false} {
		c := exec.Command("../../packaging/version")
		c.Env = append(os.Environ(), "VERSION="+given)
		out, err := c.CombinedOutput()
		if (err == nil) != valid || valid && string(out) != given+"\n" {
			t.Errorf("%q: %v, %s", given, err, out)
		}
	}
}
