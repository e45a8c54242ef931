package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// emptyDisk makes a file of a size in MiB.
func emptyDisk(t testing.TB, path string, size int64) string {
	t.Helper()
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, os.Truncate(path, size<<20))
	return path
}

// makeFileSystem makes a disk image of one file system with the content of a tree.
func makeFileSystem(t testing.TB, fstype, path, tree string) {
	t.Helper()
	switch fstype {
	case "squashfs":
		command(t, "mksquashfs", tree, path, "-quiet", "-no-progress", "-noappend")
		return
	case "erofs":
		command(t, "mkfs.erofs", "--quiet", path, tree)
		return
	case "btrfs", "xfs":
		emptyDisk(t, path, 320)
	default:
		emptyDisk(t, path, 24)
	}
	command(t, "mkfs."+fstype, "-q", path)
	fill(t, path, tree)
}

// fill copies a tree into the file system of a disk image.
func fill(t testing.TB, path, tree string) {
	t.Helper()
	place := t.TempDir()
	command(t, "mount", "-o", "loop", path, place)
	command(t, "cp", "-aT", tree, place)
	command(t, "umount", place)
}

// newImage makes a disk image of the small root, beside which the root is gone.
func newImage(t testing.TB, fstype, name string) string {
	t.Helper()
	root := newRoot(t, "tree")
	writeFile(t, root+"/etc/inside", "of the image\n")
	image := filepath.Join(filepath.Dir(root), name)
	makeFileSystem(t, fstype, image, root)
	must(t, os.RemoveAll(root))
	return image
}

// section is a partition of a test's disk.
type section struct {
	spec    string // of sfdisk(8), without the size
	content string // file system; empty: nothing
	tree    string // directory with its content
}

const sectionSize = 24 // MiB

// newDisk makes a disk image with a partition table; label is "gpt" or "dos".
func newDisk(t testing.TB, path, label string, sections ...section) string {
	t.Helper()
	emptyDisk(t, path, int64(2+sectionSize*len(sections)))
	script := "label: " + label + "\n"
	for i, s := range sections {
		script += fmt.Sprintf("start=%dMiB, size=%dMiB, %s\n", 1+sectionSize*i, sectionSize, s.spec)
	}
	sfdisk := exec.Command("sfdisk", "--quiet", path)
	sfdisk.Stdin = strings.NewReader(script)
	if output, err := sfdisk.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v: %s", err, output)
	}
	disk, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer disk.Close()
	for i, s := range sections {
		if s.content == "" {
			continue
		}
		part := filepath.Join(t.TempDir(), "part")
		makeFileSystem(t, s.content, part, s.tree)
		data, err := os.ReadFile(part)
		must(t, err)
		_, err = disk.WriteAt(data, int64(1+sectionSize*i)<<20)
		must(t, err)
	}
	return path
}

// Partition types of the Discoverable Partitions Specification.
const (
	rootX86     = "type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
	usrX86      = "type=8484680c-9521-48c6-9c11-b0720656f69e"
	rootARM     = "type=b921b045-1df0-41c3-af44-4c6f280d3fae"
	homePart    = "type=933ac7e1-2eb4-4f13-b844-0e14e2aef915"
	srvPart     = "type=3b8f8425-20e0-4f3b-907f-1a25a76f98e8"
	varPart     = "type=4d21b016-b534-45c2-a9fb-5c16e091fd2d"
	tmpPart     = "type=7ec6f557-3bc5-4aca-b293-16ef5df639d1"
	bootPart    = "type=bc13c2ff-59e6-4262-a352-b275fd6f7172"
	swapPart    = "type=0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"
	genericPart = "type=0fc63daf-8483-4772-8e79-3d69d8477de4"
	noAuto      = `, attrs="GUID:63"`
	readOnly    = `, attrs="GUID:60"`
)

// onImage turns the command of a container in a directory into one of a disk image.
func onImage(cmd *exec.Cmd, image string) *exec.Cmd {
	for i, argument := range cmd.Args {
		if strings.HasPrefix(argument, "--directory=") {
			cmd.Args[i] = "--image=" + image
		}
	}
	return cmd
}

func runImage(t testing.TB, image string, arguments ...string) result {
	t.Helper()
	return finish(t, onImage(nspawn("", arguments...), image))
}

// oracleImage is systemd-nspawn with a disk image. It insists on something that listens where udev does.
func oracleImage(t testing.TB, image string, arguments ...string) result {
	t.Helper()
	must(t, os.MkdirAll("/run/udev/data", 0o755))
	listener, err := net.Listen("unixpacket", "/run/udev/control")
	must(t, err)
	defer listener.Close()
	r := finish(t, onImage(oracle(t, "", arguments...), image))
	must(t, os.RemoveAll("/run/udev"))
	_ = os.RemoveAll("/run/systemd/nspawn")
	_ = os.RemoveAll("/run/cgroup")
	waitNoLoops(t, image)
	return r
}

// loopsOf lists the loop devices of images in a directory.
func loopsOf(t testing.TB, directory string) (devices []string) {
	t.Helper()
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	must(t, err)
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(data), directory) {
			devices = append(devices, strings.TrimSpace(string(data)))
		}
	}
	return devices
}

func waitNoLoops(t testing.TB, image string) {
	t.Helper()
	eventually(t, "loop devices go", func() bool { return len(loopsOf(t, filepath.Dir(image))) == 0 })
}

// cleanImage checks that nothing is left of a container that ran from an image.
func cleanImage(t testing.TB, image string, own ...string) {
	t.Helper()
	waitNoLoops(t, image)
	clean(t, image, own...)
}

// newTrees makes a root and what else is in partitions of their own.
func newTrees(t testing.TB) (root, data string) {
	t.Helper()
	root = newRoot(t, "tree")
	writeFile(t, root+"/etc/inside", "of the image\n")
	data = t.TempDir()
	writeFile(t, data+"/data", "data\n")
	return root, data
}
