package packages

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// command runs a program, which must succeed, and returns what it prints.
func command(t *testing.T, name string, arguments ...string) []byte {
	t.Helper()
	var errors bytes.Buffer
	c := exec.Command(name, arguments...)
	c.Stderr = &errors
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(arguments, " "), err, out, errors.Bytes())
	}
	return out
}

// treeOf says of everything below a folder what it is, whose, and what is in it.
func treeOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		owner := info.Sys().(*syscall.Stat_t)
		text := fmt.Sprintf("%v %d:%d", info.Mode(), owner.Uid, owner.Gid)
		switch {
		case entry.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			text = "link to " + target // modes of links mean nothing
			if err != nil {
				return err
			}
		case entry.Type().IsRegular():
			data, err := os.ReadFile(path)
			text += fmt.Sprintf(" %x", sha256.Sum256(data))
			if err != nil {
				return err
			}
		}
		tree[strings.TrimPrefix(path, folder)] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// compare reports what is in one tree and not, or differently, in the other.
func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if got[path] != want[path] {
			t.Errorf("%s is %q, want %q", path, got[path], want[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if _, found := got[path]; !found {
			t.Errorf("%s is missing", path)
		}
	}
}

// mesonTree returns what meson installs.
func mesonTree(t *testing.T, options ...string) map[string]string {
	t.Helper()
	build, tree := t.TempDir(), t.TempDir()
	command(t, "meson", append([]string{"setup", build, "../.."}, options...)...)
	command(t, "meson", "compile", "-C", build)
	command(t, "env", "DESTDIR="+tree, "meson", "install", "-C", build, "--no-rebuild")
	return treeOf(t, tree)
}

// find returns the only file in a folder that matches.
func find(t *testing.T, folder, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: %q, %v", pattern, folder, found, err)
	}
	return found[0]
}

// TestPackages builds the packages, twice, and has the tools of each ecosystem install, upgrade and remove them; the journey packages does
// that with the .deb on a host.
func TestPackages(t *testing.T) {
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("needs NSPAWNKIT_KERNEL_TESTS=1, root, and what test/vm/setup installs")
	}
	// What they come from otherwise, a git tree, is not everywhere; see TestVersion.
	t.Setenv("VERSION", "1.0")
	t.Setenv("SOURCE_DATE_EPOCH", "1790000000")
	first, second := t.TempDir(), t.TempDir()
	command(t, "../../packaging/build", first)
	t.Run("reproducible", func(t *testing.T) {
		command(t, "env", "TMPDIR="+t.TempDir(), "TZ=Asia/Tokyo", "LC_ALL=C", "../../packaging/build", second)
		got, want := treeOf(t, second), treeOf(t, first)
		if len(want) != 4 || !maps.Equal(got, want) {
			t.Errorf("built first: %v\nsecond: %v", want, got)
		}
	})
	t.Run("deb", func(t *testing.T) { testDeb(t, first, mesonTree(t)) })
	want := mesonTree(t, "-Dzshcompletiondir=/usr/share/zsh/site-functions")
	t.Run("rpm", func(t *testing.T) { testRPM(t, find(t, first, "*.rpm"), want) })
	t.Run("Arch", func(t *testing.T) { testArch(t, find(t, first, "*.pkg.tar.zst"), want) })
	t.Run("shipped", func(t *testing.T) { testShipped(t, find(t, first, "nspawnkit_*.deb")) })

	newer := t.TempDir()
	command(t, "env", "VERSION=999", "../../packaging/build", newer, "rpm", "archlinux")
	t.Run("scripts of rpm", func(t *testing.T) { testScriptsOfRPM(t, find(t, first, "*.rpm"), find(t, newer, "*.rpm")) })
	t.Run("scripts of Arch", func(t *testing.T) { testScriptsOfArch(t, find(t, first, "*.zst"), find(t, newer, "*.zst")) })
}

func testDeb(t *testing.T, folder string, want map[string]string) {
	root, replacing := t.TempDir(), t.TempDir()
	command(t, "dpkg-deb", "-x", find(t, folder, "nspawnkit_*.deb"), root)
	compare(t, treeOf(t, root), want)

	command(t, "dpkg-deb", "-x", find(t, folder, "nspawnkit-replace_*.deb"), replacing)
	got := treeOf(t, replacing)
	maps.DeleteFunc(got, func(path, _ string) bool { return strings.HasPrefix(path, "/usr/share") }) // only of its own
	maps.Copy(got, want)
	compare(t, got, mesonTree(t, "-Dreplace=true"))

	for _, name := range []string{"nspawnkit_*.deb", "nspawnkit-replace_*.deb"} {
		control := t.TempDir()
		command(t, "dpkg-deb", "-e", find(t, folder, name), control)
		scripts, err := filepath.Glob(control + "/p*")
		if err != nil || len(scripts) < 2 {
			t.Fatal(scripts, err)
		}
		for _, script := range scripts {
			command(t, "sh", "-n", script)
		}
	}
}

// shared matches folders of the package's own, and those that are left with the last package that has them.
var shared = regexp.MustCompile(`^drwxr-xr-x .*(nspawn|/usr/share/(bash-completion|fish|zsh)|/usr/lib/NetworkManager)`)

func testRPM(t *testing.T, file string, want map[string]string) {
	root := t.TempDir()
	command(t, "rpm", "--root", root, "--dbpath", "/rpm", "--install", "--nodeps", "--noscripts", file)
	if err := os.RemoveAll(root + "/rpm"); err != nil {
		t.Fatal(err)
	}
	compare(t, treeOf(t, root), want)
	for path := range strings.Lines(string(command(t, "rpm", "-qp", "--queryformat", "[%{FILEMODES:perms} %{FILENAMES}\n]", file))) {
		if strings.HasPrefix(path, "d") && !shared.MatchString(path) {
			t.Errorf("the directory of others is its own: %s", path)
		}
	}
}

// pacmanOf returns a call of pacman that works on the tree root and writes nothing else into it than packages have.
func pacmanOf(t *testing.T, root string) []string {
	t.Helper()
	other := t.TempDir()
	configuration := other + "/pacman.conf"
	if err := os.WriteFile(configuration, []byte("[options]\nArchitecture = auto\nSigLevel = Never\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{
		"pacman", "--config", configuration, "--root", root, "--dbpath", other, "--cachedir", other, "--logfile", other + "/log", "--noconfirm",
	}
}

func testArch(t *testing.T, file string, want map[string]string) {
	root := t.TempDir()
	pacman := append(pacmanOf(t, root), "--noscriptlet", "-dd", "-U", file)
	command(t, pacman[0], pacman[1:]...)
	compare(t, treeOf(t, root), want)
}
