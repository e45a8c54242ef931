package main_test

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestHostileImages checks that an image that lies ends in one clear error, soon, and that nothing of it stays attached.
func TestHostileImages(t *testing.T) {
	root, data := newTrees(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "web.raw")
	disk := func(t *testing.T, sections ...section) string { return newDisk(t, path, "gpt", sections...) }
	rootSection := section{rootX86, "ext4", root}
	edit := func(t *testing.T, image string, change func(content []byte)) {
		content, err := os.ReadFile(image)
		must(t, err)
		change(content)
		must(t, os.WriteFile(image, content, 0o600))
	}
	for name, test := range map[string]struct {
		make  func(t *testing.T)
		texts []string
	}{
		"missing":   {func(t *testing.T) {}, []string{"--image", "no such file"}},
		"empty":     {func(t *testing.T) { emptyDisk(t, path, 0) }, []string{"neither a file system nor a partition table"}},
		"zeros":     {func(t *testing.T) { emptyDisk(t, path, 8) }, []string{"neither a file system nor a partition table"}},
		"directory": {func(t *testing.T) { must(t, os.Mkdir(path, 0o755)) }, []string{"neither a regular file nor a block device"}},
		"FIFO":      {func(t *testing.T) { command(t, "mkfifo", path) }, []string{"neither a regular file nor a block device"}},
		"terminal":  {func(t *testing.T) { must(t, os.Symlink("/dev/null", path)) }, []string{"/dev/null", "neither a regular file nor a block device"}},
		"truncated": {func(t *testing.T) { must(t, os.Truncate(disk(t, rootSection), 20<<20)) }, []string{"beyond the end of the image", "truncated"}},
		"cut off":   {func(t *testing.T) { makeFileSystem(t, "ext4", path, root); must(t, os.Truncate(path, 8<<20)) }, []string{"file system ext4"}},
		"no squash": {func(t *testing.T) { makeFileSystem(t, "squashfs", path, root); must(t, os.Truncate(path, 200)) }, []string{"file system squashfs"}},
		"overlapping": {func(t *testing.T) {
			edit(t, disk(t, rootSection, section{homePart, "ext4", data}), func(c []byte) { overlap(c) })
		}, []string{"partitions 1 and 2 overlap"}},
		"absurd count": {func(t *testing.T) {
			edit(t, disk(t, rootSection), func(c []byte) { binary.LittleEndian.PutUint32(c[512+80:], 1<<31); seal(c[512:]); clear(c[len(c)-512:]) })
		}, []string{"2147483648 entries"}},
		"two systems": {func(t *testing.T) {
			makeFileSystem(t, "ext4", path, root)
			edit(t, path, func(c []byte) { copy(c, "XFSB") })
		}, []string{"ext4 and xfs at once"}},
		"no system": {func(t *testing.T) { makeFileSystem(t, "ext4", path, data) }, []string{path, "/usr/ directory is missing"}},
		"FAT":       {func(t *testing.T) { emptyDisk(t, path, 24); command(t, "mkfs.vfat", path) }, []string{"file system vfat has neither owners nor modes"}},
		"ext2":      {func(t *testing.T) { emptyDisk(t, path, 24); command(t, "mkfs.ext2", "-q", path) }, []string{"file system ext2 is not mounted from images"}},
		"garbage": {func(t *testing.T) {
			emptyDisk(t, path, 24)
			edit(t, path, func(c []byte) { copy(c[1080:], "\x53\xef"); c[1024+96] = 0x40 })
		}, []string{"file system ext4"}},
		"data in root": {func(t *testing.T) { disk(t, section{rootX86, "", ""}) }, []string{"partition root", "no file system that is known"}},
		"no root":      {func(t *testing.T) { disk(t, section{homePart, "ext4", data}) }, []string{"no partition for root or /usr"}},
		"place as file": {func(t *testing.T) {
			disk(t, section{rootX86, "ext4", withFile(t, root, "home")}, section{homePart, "ext4", data})
		}, []string{"partition home", "not a directory"}},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.RemoveAll(path))
			test.make(t)
			begun := time.Now()
			r := runImage(t, path, "/bin/echo", "payload runs")
			refused(t, r, test.texts...)
			if lines := strings.Count(r.stderr, "\n"); lines != 1 || time.Since(begun) > 5*time.Second {
				t.Errorf("%d lines in %v: %s", lines, time.Since(begun), r.stderr)
			}
			cleanImage(t, path)
		})
	}
}

// withFile returns a copy of a root with an empty file.
func withFile(t *testing.T, root, name string) string {
	t.Helper()
	other := filepath.Join(t.TempDir(), "root")
	command(t, "cp", "-a", root, other)
	must(t, os.RemoveAll(filepath.Join(other, name)))
	writeFile(t, filepath.Join(other, name), "")
	return other
}

// seal mends the checksum of the header of a GPT.
func seal(header []byte) {
	clear(header[16:20])
	binary.LittleEndian.PutUint32(header[16:], crc32.ChecksumIEEE(header[:92]))
}

// overlap puts the second partition where the first is.
func overlap(disk []byte) {
	entries := disk[1024:][:128*128]
	copy(entries[128+32:128+48], entries[32:48])
	binary.LittleEndian.PutUint32(disk[512+88:], crc32.ChecksumIEEE(entries))
	seal(disk[512:])
	clear(disk[len(disk)-512:]) // the second header
}

// Links of the image lead nowhere but into the image, also where a partition is mounted on one.
func TestImageLinks(t *testing.T) {
	root, data := newTrees(t)
	outside := t.TempDir()
	for name, link := range map[string]string{"absolute": outside, "relative": strings.Repeat("../", 20) + outside, "new": outside + "/new"} {
		must(t, os.RemoveAll(root+"/home"))
		must(t, os.Symlink(link, root+"/home"))
		image := newDisk(t, filepath.Join(t.TempDir(), "disk.raw"), "gpt", section{rootX86, "ext4", root}, section{homePart, "ext4", data})
		before := mountPoints(t)
		r := runImage(t, image, "/bin/sh", "-c", "cat "+outside+"/data "+outside+"/new/data")
		if !strings.Contains(r.stdout, "data\n") && r.status != 1 {
			t.Errorf("%s: %q %s", name, r.stdout, r.stderr)
		}
		if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
			t.Errorf("%s: made outside: %q", name, entries)
		}
		if after := mountPoints(t); !slices.Equal(before, after) {
			t.Errorf("%s: mounted %q", name, after)
		}
		cleanImage(t, image)
	}
}

// TestImagePolicy checks that the policy of the command line counts.
func TestImagePolicy(t *testing.T) {
	root, data := newTrees(t)
	image := newDisk(t, filepath.Join(t.TempDir(), "disk.raw"), "gpt", section{rootX86, "ext4", root}, section{homePart, "ext4", data})
	const script = "grep -o ' /home ' /proc/self/mounts; cat /etc/inside"
	for policy, want := range map[string]string{
		"*": " /home \nof the image\n", "root=unprotected": "of the image\n", "root=ext4:=open": " /home \nof the image\n",
	} {
		if r := runImage(t, image, "--image-policy="+policy, "/bin/sh", "-c", script); r.stdout != want {
			t.Errorf("%s: %q %s", policy, r.stdout, r.stderr)
		}
	}
	for policy, text := range map[string]string{
		"~": "not to be used", "root=verity": "partition root is encrypted or unprotected, but must be verity", "root=open:home=absent": "partition home is unused, but must be absent",
		"root=erofs:=open": "must have erofs", "root=read-only-on:=open": "read-only-off",
	} {
		refused(t, runImage(t, image, "--image-policy="+policy, "/bin/echo", "payload runs"), "image policy", text)
	}
	refused(t, run(t, root, "--image-policy=*", "/bin/echo", "payload runs"), "--image-policy is for disk images")
	cleanImage(t, image)
}
